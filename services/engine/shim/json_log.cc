#include "engine/shim/json_log.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace flotilla::engine::shim {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

bool isPlain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' && byte != '>' &&
         byte != '&';
}

/// Copies plain bytes from the front of `text` to `out`; returns how many.
std::size_t copyPlain(char* out, std::string_view text) {
  std::size_t done = 0;
#ifdef __SSE2__
  const __m128i control = _mm_set1_epi8(0x1f);
  while (done + 16 <= text.size()) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + done));
    // Signed: bytes of 0x80 and more are negative, so "not greater than 0x1f" finds both kinds.
    __m128i plain = _mm_cmpgt_epi8(block, control);
    for (const char special : {'"', '\\', '<', '>', '&'}) {
      plain = _mm_andnot_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(special)), plain);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + done), block);  // room: 6 bytes per byte
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(plain));
    if (mask != 0xffffU) {
      return done + static_cast<std::size_t>(std::countr_one(mask));
    }
    done += 16;
  }
#endif
  while (done < text.size() && isPlain(static_cast<unsigned char>(text[done]))) {
    out[done] = text[done];
    ++done;
  }
  return done;
}

/// Length of the valid UTF-8 sequence at the front of `text`, 0 when there is none.
std::size_t sequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) {
    return follows(1) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

char* escapeAscii(char* out, unsigned char byte) {
  switch (byte) {
    case '"':
      return put(out, "\\\"");
    case '\\':
      return put(out, "\\\\");
    case '\n':
      return put(out, "\\n");
    case '\r':
      return put(out, "\\r");
    default:
      break;
  }
  out = put(out, "\\u00");
  *out++ = kHex[byte >> 4U];
  *out++ = kHex[byte & 15U];
  return out;
}

}  // namespace

char* escapeJson(char* out, std::string_view text) {
  while (true) {
    const std::size_t plain = copyPlain(out, text);
    out += plain;
    text.remove_prefix(plain);
    if (text.empty()) {
      return out;
    }
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t used = 1;
    if (byte < 0x80) {
      out = escapeAscii(out, byte);
    } else if (const std::size_t length = sequenceLength(text); length == 0) {
      out = put(out, "\\ufffd");
    } else if (text.starts_with("\xe2\x80\xa8") || text.starts_with("\xe2\x80\xa9")) {
      out = put(out, text[2] == '\xa8' ? "\\u2028" : "\\u2029");
      used = length;
    } else {
      out = put(out, text.substr(0, length));
      used = length;
    }
    text.remove_prefix(used);
  }
}

char* TimeFormatter::write(char* out, const timespec& time) {
  if (time.tv_sec != second_) {
    second_ = time.tv_sec;
    tm parts{};
    ::gmtime_r(&second_, &parts);
    char* at = text_;
    const auto digits = [&at](int value, int count, char after) {
      for (int i = count - 1; i >= 0; --i) {
        at[i] = static_cast<char>('0' + value % 10);
        value /= 10;
      }
      at[count] = after;
      at += count + 1;
    };
    digits(parts.tm_year + 1900, 4, '-');
    digits(parts.tm_mon + 1, 2, '-');
    digits(parts.tm_mday, 2, 'T');
    digits(parts.tm_hour, 2, ':');
    digits(parts.tm_min, 2, ':');
    digits(parts.tm_sec, 2, '.');
  }
  out = put(out, std::string_view(text_, sizeof(text_)));
  long nanos = time.tv_nsec;
  int length = 9;
  for (int i = 8; i >= 0; --i) {
    out[i] = static_cast<char>('0' + nanos % 10);
    nanos /= 10;
  }
  while (length > 0 && out[length - 1] == '0') {
    --length;
  }
  out += length == 0 ? -1 : length;  // a whole second has no point either
  *out++ = 'Z';
  return out;
}

char* writeEntry(char* out, std::string_view line, Channel channel, const timespec& time,
                 TimeFormatter& formatter) {
  out = put(out, "{\"log\":\"");
  out = escapeJson(out, line);
  out = put(out, channel == Channel::Stderr ? R"(","stream":"stderr","time":")"
                                            : R"(","stream":"stdout","time":")");
  out = formatter.write(out, time);
  return put(out, "\"}\n");
}

std::size_t LineSplitter::completeLine(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, kMaxLine);
  const void* newline = std::memchr(window.data(), '\n', window.size());
  if (newline != nullptr) {
    return static_cast<std::size_t>(static_cast<const char*>(newline) - window.data()) + 1;
  }
  if (window.size() < kMaxLine) {
    return 0;
  }
  // A UTF-8 sequence that would be cut goes to the next piece; stray bytes are cut anywhere.
  for (std::size_t back = 1; back <= 3; ++back) {
    const auto byte = static_cast<unsigned char>(window[kMaxLine - back]);
    if (byte >= 0xc0) {
      const std::size_t need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return need > back ? kMaxLine - back : kMaxLine;
    }
    if (byte < 0x80) {
      break;
    }
  }
  return kMaxLine;
}

std::size_t LineSplitter::extendCarry(std::string_view more) {
  const std::size_t room = carry_.size() < kMaxLine ? kMaxLine - carry_.size() : 0;
  std::string_view part = more.substr(0, room);
  if (const std::size_t newline = part.find('\n'); newline != std::string_view::npos) {
    part = part.substr(0, newline + 1);
  }
  carry_.append(part);
  return part.size();
}

}  // namespace flotilla::engine::shim
