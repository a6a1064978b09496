#include "engine/logs/log_line.h"

#include <cstring>
#include <nlohmann/json.hpp>

namespace flotilla::engine {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): literals only

constexpr std::string_view kHead = R"({"log":")";
constexpr std::string_view kStdout = R"(,"stream":"stdout")";
constexpr std::string_view kStderr = R"(,"stream":"stderr")";
constexpr std::string_view kTime = R"(,"time":")";
constexpr std::string_view kTail = R"("})";

int hexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Four hex digits at `at`; -1 when they are none.
int hex4(const char* at, const char* end) {
  if (end - at < 4) {
    return -1;
  }
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hexDigit(at[i]);
    if (digit < 0) {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

void appendUtf8(std::string& out, unsigned code) {
  auto byte = [&](unsigned value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0U | code >> 6U);
    byte(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    byte(0xE0U | code >> 12U);
    byte(0x80U | (code >> 6U & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  } else {
    byte(0xF0U | code >> 18U);
    byte(0x80U | (code >> 12U & 0x3FU));
    byte(0x80U | (code >> 6U & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  }
}

/// A \u escape whose digits start at `at`. Returns the place behind it, nullptr when malformed.
/// Half a surrogate pair becomes U+FFFD, as in Go.
const char* unescapeUnicode(const char* at, const char* end, std::string& out) {
  const int first = hex4(at, end);
  if (first < 0) {
    return nullptr;
  }
  at += 4;
  auto code = static_cast<unsigned>(first);
  if (code >= 0xD800 && code < 0xE000) {
    const int second =
        code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, end) : -1;
    if (second >= 0xDC00 && second < 0xE000) {
      code = 0x10000U + ((code - 0xD800U) << 10U) + (static_cast<unsigned>(second) - 0xDC00U);
      at += 6;
    } else {
      code = 0xFFFD;
    }
  }
  appendUtf8(out, code);
  return at;
}

const char* unescapeOne(const char* at, const char* end, std::string& out) {
  constexpr std::string_view kFrom = "nrt\"\\/bf";
  constexpr std::string_view kTo = "\n\r\t\"\\/\b\f";
  if (at >= end) {
    return nullptr;
  }
  if (*at == 'u') {
    return unescapeUnicode(at + 1, end, out);
  }
  const std::size_t index = kFrom.find(*at);
  if (index == std::string_view::npos) {
    return nullptr;
  }
  out += kTo[index];
  return at + 1;
}

/// Reads a JSON string whose opening quote is already behind `at`. Appends to `out`; returns the
/// place behind the closing quote, nullptr when the string is malformed.
const char* readString(const char* at, const char* end, std::string& out) {
  while (true) {
    const auto* quote =
        static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
    if (quote == nullptr) {
      return nullptr;
    }
    const auto* escape =
        static_cast<const char*>(std::memchr(at, '\\', static_cast<std::size_t>(quote - at)));
    if (escape == nullptr) {
      out.append(at, quote);
      return quote + 1;
    }
    out.append(at, escape);
    at = unescapeOne(escape + 1, end, out);
    if (at == nullptr) {
      return nullptr;
    }
  }
}

std::optional<LogLine> parseOwnLine(std::string_view line, std::string& scratch) {
  if (!line.starts_with(kHead)) {
    return std::nullopt;
  }
  const char* const end = line.data() + line.size();
  scratch.clear();
  const char* at = readString(line.data() + kHead.size(), end, scratch);
  if (at == nullptr) {
    return std::nullopt;
  }
  std::string_view rest(at, static_cast<std::size_t>(end - at));
  LogLine result;
  if (!rest.starts_with(kStdout) && !rest.starts_with(kStderr)) {
    return std::nullopt;
  }
  result.from_stderr = rest.starts_with(kStderr);
  rest.remove_prefix(kStdout.size());
  if (!rest.starts_with(kTime) || !rest.ends_with(kTail) ||
      rest.size() < kTime.size() + kTail.size()) {
    return std::nullopt;
  }
  result.time = rest.substr(kTime.size(), rest.size() - kTime.size() - kTail.size());
  result.text = scratch;
  return result;
}

/// Puts all three texts into `scratch`, one behind the other, so that the views outlive the
/// document.
std::optional<LogLine> parseAnyLine(std::string_view line, std::string& scratch) {
  const nlohmann::json document = nlohmann::json::parse(line, nullptr, false);
  if (!document.is_object()) {
    return std::nullopt;
  }
  auto text = [&](const char* key) {
    const auto found = document.find(key);
    return found != document.end() && found->is_string() ? found->get<std::string>()
                                                         : std::string();
  };
  const auto attrs = document.find("attrs");
  const std::string details = attrs != document.end() && attrs->is_object() ? attrs->dump() : "";
  const std::string log = text("log");
  const std::string time = text("time");
  scratch = log + time + details;
  LogLine result;
  const std::string_view all = scratch;
  result.text = all.substr(0, log.size());
  result.time = all.substr(log.size(), time.size());
  result.attributes = all.substr(log.size() + time.size());
  result.from_stderr = text("stream") == "stderr";
  return result;
}

bool digits(std::string_view text, std::size_t at, std::size_t count, std::int64_t& value) {
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') {
      return false;
    }
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (years counted from March).
std::int64_t daysFromCivil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719468;
}

std::string urlEscape(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       "-_.~"sv.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

}  // namespace

std::optional<LogLine> parseLogLine(std::string_view line, std::string& scratch) {
  if (auto own = parseOwnLine(line, scratch)) {
    return own;
  }
  return parseAnyLine(line, scratch);
}

std::optional<std::int64_t> parseLogTime(std::string_view text) {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;  // NOLINT
  constexpr std::size_t kSeconds = 19;  // "2026-11-22T02:36:17"
  if (text.size() < kSeconds + 1 || !digits(text, 0, 4, year) || !digits(text, 5, 2, month) ||
      !digits(text, 8, 2, day) || !digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) ||
      !digits(text, 17, 2, second)) {
    return std::nullopt;
  }
  std::int64_t fraction = 0;
  std::int64_t unit = 1000000000;
  std::size_t at = kSeconds;
  if (text[at] == '.') {
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9' && unit > 1; ++at) {
      unit /= 10;
      fraction += (text[at] - '0') * unit;
    }
  }
  if (at >= text.size() || text[at] != 'Z') {
    return std::nullopt;
  }
  const std::int64_t seconds =
      daysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  return seconds * 1000000000 + fraction;
}

void appendFixedTime(std::string& out, std::string_view time) {
  constexpr std::size_t kSeconds = 19;
  constexpr std::size_t kFixed = 29;  // with '.' and nine digits
  if (time.size() < kSeconds + 1 || time.back() != 'Z') {
    out += time;
    return;
  }
  const std::size_t start = out.size();
  out.append(time.substr(0, time.size() - 1));
  if (out.size() - start == kSeconds) {
    out += '.';
  }
  if (out.size() - start < kFixed) {
    out.append(kFixed - (out.size() - start), '0');
  }
  out += 'Z';
}

std::string detailsText(std::string_view attributes) {
  std::string out;
  const nlohmann::json object = nlohmann::json::parse(attributes, nullptr, false);
  if (!object.is_object()) {
    return out;
  }
  for (const auto& [key, value] : object.items()) {  // nlohmann keeps keys sorted
    if (value.is_string()) {
      out += (out.empty() ? "" : ",") + urlEscape(key) + "=" + urlEscape(value.get<std::string>());
    }
  }
  return out;
}

}  // namespace flotilla::engine
