#include "cli/client/http_stream.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace flotilla::cli {
namespace {

constexpr std::size_t kMaxLine = 64 * 1024;

Error malformed(std::string_view what) {
  return {ErrorKind::Unavailable, "malformed HTTP response: " + std::string(what)};
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

template <class Number>
bool parseNumber(std::string_view text, Number& value, int base = 10) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return failed == std::errc{} && end != text.data();
}

Result<void> applyHeader(std::string_view line, HttpHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) {
    return malformed("header without a colon");
  }
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (equalIgnoringCase(name, "content-length")) {
    if (!parseNumber(value, head.content_length) || head.content_length < 0) {
      return malformed("Content-Length");
    }
  } else if (equalIgnoringCase(name, "transfer-encoding")) {
    head.chunked = equalIgnoringCase(value, "chunked");
  } else if (equalIgnoringCase(name, "connection")) {
    head.close = equalIgnoringCase(value, "close");
  } else if (equalIgnoringCase(name, "content-type")) {
    head.content_type = value;
  }
  return {};
}

}  // namespace

Result<void> HttpStream::send(const HttpRequest& request) {
  std::string text;
  text.reserve(256 + request.target.size() + request.body.size());
  text += request.method;
  text += ' ';
  text += request.target;
  text += " HTTP/1.1\r\nHost: ";
  text += host_;
  text += "\r\nUser-Agent: flotilla\r\n";
  for (const auto& [name, value] : request.headers) {
    text += name;
    text += ": ";
    text += value;
    text += "\r\n";
  }
  if (request.upgrade) {
    text += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  }
  if (!request.body.empty()) {
    text += "Content-Type: ";
    text += request.content_type;
    text += "\r\n";
  }
  if (!request.body.empty() || request.method == "POST") {
    text += "Content-Length: ";
    text += std::to_string(request.body.size());
    text += "\r\n";
  }
  text += "\r\n";
  text += request.body;
  return connection_.writeAll(text);
}

Result<bool> HttpStream::fill() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  FLO_TRY_ASSIGN(const auto got, connection_.read(std::span(buffer_).subspan(end_)));
  end_ += got;
  return got > 0;
}

Result<std::string_view> HttpStream::readLine() {
  for (;;) {
    const auto text = buffered();
    if (const auto newline = text.find('\n'); newline != std::string_view::npos) {
      begin_ += newline + 1;
      const bool has_return = newline > 0 && text[newline - 1] == '\r';
      return text.substr(0, newline - (has_return ? 1 : 0));
    }
    if (text.size() >= kMaxLine) {
      return malformed("a header line is too long");
    }
    FLO_TRY_ASSIGN(const bool more, fill());
    if (!more) {
      return Error(ErrorKind::Unavailable, "EOF");
    }
  }
}

Result<HttpHead> HttpStream::readHead() {
  for (;;) {
    HttpHead head;
    FLO_TRY_ASSIGN(const auto status_line, readLine());
    if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12 ||
        !parseNumber(status_line.substr(9, 3), head.status)) {
      return malformed("status line \"" + std::string(status_line.substr(0, 40)) + "\"");
    }
    for (;;) {
      FLO_TRY_ASSIGN(const auto line, readLine());
      if (line.empty()) {
        break;
      }
      FLO_TRY(applyHeader(line, head));
    }
    if (head.status != 100) {
      return head;
    }
  }
}

Result<void> HttpStream::readExactly(unsigned long long size, const Sink& sink) {
  while (size > 0) {
    if (begin_ == end_) {
      FLO_TRY_ASSIGN(const bool more, fill());
      if (!more) {
        return Error(ErrorKind::Unavailable, "unexpected EOF");
      }
    }
    const auto piece = buffered().substr(
        0, static_cast<std::size_t>(std::min<unsigned long long>(size, end_ - begin_)));
    if (!sink(piece)) {
      return Error(ErrorKind::Unavailable, "stopped by the reader");
    }
    begin_ += piece.size();
    size -= piece.size();
  }
  return {};
}

Result<void> HttpStream::readChunks(const Sink& sink) {
  for (;;) {
    FLO_TRY_ASSIGN(const auto line, readLine());
    unsigned long long size = 0;
    if (!parseNumber(line, size, 16)) {
      return malformed("chunk size");
    }
    FLO_TRY(readExactly(size, sink));
    if (size == 0) {
      break;
    }
    FLO_TRY(readLine());
  }
  for (;;) {  // trailers
    FLO_TRY_ASSIGN(const auto line, readLine());
    if (line.empty()) {
      return {};
    }
  }
}

Result<void> HttpStream::readBody(const HttpHead& head, const Sink& sink) {
  if (head.status == 204 || head.status == 304) {
    return {};
  }
  if (head.chunked) {
    return readChunks(sink);
  }
  if (head.content_length >= 0) {
    return readExactly(static_cast<unsigned long long>(head.content_length), sink);
  }
  for (;;) {
    if (begin_ < end_) {
      if (!sink(buffered())) {
        return Error(ErrorKind::Unavailable, "stopped by the reader");
      }
      begin_ = end_;
    }
    FLO_TRY_ASSIGN(const bool more, fill());
    if (!more) {
      return {};
    }
  }
}

Result<std::string> HttpStream::roundTrip(const HttpRequest& request, HttpHead& head) {
  FLO_TRY(send(request));
  FLO_TRY_ASSIGN(head, readHead());
  std::string body;
  FLO_TRY(readBody(head, [&body](std::string_view piece) {
    body += piece;
    return true;
  }));
  return body;
}

Result<std::optional<std::size_t>> HttpStream::tryReadRaw(std::span<char> buffer) {
  if (begin_ < end_) {
    const auto size = std::min(buffer.size(), end_ - begin_);
    std::memcpy(buffer.data(), buffer_.data() + begin_, size);
    begin_ += size;
    return std::optional(size);
  }
  return connection_.tryRead(buffer);
}

Result<std::size_t> HttpStream::readRaw(std::span<char> buffer) {
  if (begin_ < end_) {
    FLO_TRY_ASSIGN(const auto got, tryReadRaw(buffer));
    return got.value_or(0);
  }
  return connection_.read(buffer);
}

}  // namespace flotilla::cli
