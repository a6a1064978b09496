#include "engine/jobs/handler_tools.h"

#include <charconv>

#include "common/json/json.h"

namespace flotilla::engine {
namespace {

/// One key: a character or "ctrl-<a-z, @, [, \, ], ^, _>". -1: neither.
int keyByte(const std::string& key) {
  constexpr std::string_view kControl = "ctrl-";
  if (key.size() == 1) {
    return static_cast<unsigned char>(key[0]);
  }
  if (key.size() != kControl.size() + 1 || !key.starts_with(kControl)) {
    return -1;
  }
  const char c = key.back();
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 1;
  }
  const auto special = std::string_view("[\\]^_").find(c);
  if (c == '@') {
    return 0;
  }
  return special == std::string_view::npos ? -1 : static_cast<int>(special) + 27;
}

}  // namespace

Result<std::int64_t> goAtoi(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorKind::Internal,
                 "strconv.Atoi: parsing " + json::quote(text) + ": invalid syntax"};
  }
  return number;
}

Result<std::string> parseDetachKeys(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string key = text.substr(at, end - at);
    const int byte = keyByte(key);
    if (byte < 0) {
      return Error{ErrorKind::InvalidArgument, "Invalid detach keys (" + text + ") provided"};
    }
    bytes += static_cast<char>(byte);
    at = end + 1;
  }
  return bytes;
}

Result<unsigned> parseTerminalSize(const Job& job, const char* key, const char* what) {
  const std::string text = job.env.get(key);
  unsigned size = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (failed != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorKind::InvalidArgument, std::string("invalid resize ") + what + " " +
                                                 json::quote(text) + ": invalid syntax"};
  }
  return size;
}

}  // namespace flotilla::engine
