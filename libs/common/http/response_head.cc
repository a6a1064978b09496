#include "common/http/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace flotilla::http {
namespace {

using namespace std::string_view_literals;

/// "Date: Sun, 22 Nov 2026 02:41:32 GMT\r\n", made once a second.
std::string_view dateField() {
  thread_local std::time_t made_at = -1;
  thread_local std::array<char, 64> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    size = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    made_at = now;
  }
  return {text.data(), size};
}

bool isFramingField(std::string_view name) {
  static constexpr std::array<std::string_view, 4> kFields = {"content-length", "transfer-encoding",
                                                              "connection", "date"};
  return std::any_of(kFields.begin(), kFields.end(), [name](std::string_view field) {
    return field.size() == name.size() &&
           std::equal(name.begin(), name.end(), field.begin(),
                      [](char a, char b) { return (a | 0x20) == b; });
  });
}

void appendNumber(std::string& out, std::uint64_t value, int base = 10) {
  std::array<char, 24> digits{};
  auto [end, ec] = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end);
}

}  // namespace

std::string_view reasonPhrase(int status) {
  switch (status) {
    case 101:
      return "UPGRADED";  // the word dockerd sends
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Request Entity Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Requested Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

bool statusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

void appendHead(std::string& out, const Response& response, const HeadOptions& options) {
  out += options.http_1_0 ? "HTTP/1.0 "sv : "HTTP/1.1 "sv;
  appendNumber(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reasonPhrase(response.status);
  out += "\r\n"sv;
  response.headers.appendLines(out, isFramingField);
  out += dateField();
  if (options.content_length) {
    out += "Content-Length: "sv;
    appendNumber(out, *options.content_length);
    out += "\r\n"sv;
  }
  if (options.framing == Framing::Chunked) {
    out += "Transfer-Encoding: chunked\r\n"sv;
  }
  if (options.close) {
    out += "Connection: close\r\n"sv;
  } else if (options.http_1_0) {
    out += "Connection: keep-alive\r\n"sv;
  }
  out += "\r\n"sv;
}

void appendChunk(std::string& out, std::string_view bytes) {
  appendNumber(out, bytes.size(), 16);
  out += "\r\n"sv;
  out += bytes;
  out += "\r\n"sv;
}

Response errorResponse(int status, std::string_view message) {
  static constexpr char kHex[] = "0123456789abcdef";
  Response response{.status = status, .headers = {}, .body = "{\"message\":\""};
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      response.body += '\\';
      response.body += c;
    } else if (byte < 0x20 ||
               byte > 0x7e) {  // such a byte came from the client, in no known encoding
      response.body += "\\u00";
      response.body += kHex[byte >> 4U];
      response.body += kHex[byte & 15U];
    } else {
      response.body += c;
    }
  }
  response.body += "\"}\n";
  response.headers.add("Content-Type", "application/json");
  return response;
}

}  // namespace flotilla::http
