#include "api-gateway/http/json_syntax.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

constexpr std::size_t kDeepest = json::kMaxDepth;
constexpr std::string_view kSpace = " \t\r\n";

Error invalid(std::string text) {
  return Error{ErrorKind::InvalidArgument, "invalid JSON: " + std::move(text)};
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Length of the well-formed UTF-8 sequence at `at`, 0 when it is not one.
std::size_t sequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(at);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return follows(at + 1, 0x80, 0xBF) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;  // no surrogates
    return follows(at + 1, low, high) && follows(at + 2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return follows(at + 1, low, high) && follows(at + 2, 0x80, 0xBF) && follows(at + 3, 0x80, 0xBF)
               ? 4
               : 0;
  }
  return 0;
}

/// The character as Go's %q writes it.
std::string quoted(std::string_view text, std::size_t at) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto c = static_cast<unsigned char>(text[at]);
  switch (c) {
    case '\'':
      return R"('\'')";
    case '\\':
      return R"('\\')";
    case '\n':
      return R"('\n')";
    case '\r':
      return R"('\r')";
    case '\t':
      return R"('\t')";
    default:
      break;
  }
  const std::size_t length = sequenceLength(text, at);
  if (c < 0x20 || c == 0x7F || length == 0) {
    return {'\'', '\\', 'x', kHex[c >> 4U], kHex[c & 0xFU], '\''};
  }
  std::string result = "'";
  result += text.substr(at, length);
  result += '\'';
  return result;
}

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  Result<JsonType> document() {
    skipSpace();
    if (atEnd()) {
      return invalid("got EOF while reading request body");
    }
    FLO_TRY_ASSIGN(const JsonType type, value());
    while (!open_.empty()) {
      FLO_TRY(step());
    }
    skipSpace();
    if (!atEnd()) {
      return Error{ErrorKind::InvalidArgument, "unexpected content after JSON"};
    }
    return type;
  }

 private:
  struct Container {
    bool is_object;
    bool is_empty = true;
  };

  [[nodiscard]] bool atEnd() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  void skipSpace() {
    const std::size_t next = text_.find_first_not_of(kSpace, at_);
    at_ = next == std::string_view::npos ? text_.size() : next;
  }

  [[nodiscard]] Error unexpected(std::string_view where) const {
    if (atEnd()) {
      return invalid("unexpected EOF");
    }
    return invalid("invalid character " + quoted(text_, at_) + " " + std::string(where));
  }

  /// Reads a scalar or the opening of a container.
  Result<JsonType> value() {
    skipSpace();
    if (atEnd()) {
      return unexpected({});
    }
    switch (peek()) {
      case '{':
        return opening(JsonType::Object);
      case '[':
        return opening(JsonType::Array);
      case '"':
        return string();
      case 't':
        return literal("true", JsonType::Bool);
      case 'f':
        return literal("false", JsonType::Bool);
      case 'n':
        return literal("null", JsonType::Null);
      default:
        break;
    }
    if (peek() == '-' || isDigit(peek())) {
      return number();
    }
    return unexpected("looking for beginning of value");
  }

  Result<JsonType> opening(JsonType type) {
    if (open_.size() >= kDeepest) {
      return invalid("exceeded max depth");
    }
    open_.push_back({.is_object = type == JsonType::Object});
    ++at_;
    return type;
  }

  /// Reads one member or element of the innermost container, or its end.
  Result<void> step() {
    const bool is_object = open_.back().is_object;
    skipSpace();
    if (!atEnd() && peek() == (is_object ? '}' : ']')) {
      ++at_;
      open_.pop_back();
      return {};
    }
    FLO_TRY(separator());
    if (is_object) {
      FLO_TRY(key());
    }
    FLO_TRY(value());
    return {};
  }

  Result<void> separator() {
    Container& container = open_.back();
    if (container.is_empty) {
      container.is_empty = false;
      return {};
    }
    if (atEnd() || peek() != ',') {
      return unexpected(container.is_object ? "after object key:value pair"
                                            : "after array element");
    }
    ++at_;
    skipSpace();
    return {};
  }

  Result<void> key() {
    if (atEnd() || peek() != '"') {
      return unexpected("looking for beginning of object key string");
    }
    FLO_TRY(string());
    skipSpace();
    if (atEnd() || peek() != ':') {
      return unexpected("after object key");
    }
    ++at_;
    return {};
  }

  Result<JsonType> literal(std::string_view word, JsonType type) {
    for (const char expected : word) {
      if (atEnd() || peek() != expected) {
        return unexpected("in literal " + std::string(word) + " (expecting '" + expected + "')");
      }
      ++at_;
    }
    return type;
  }

  Result<void> digits() {
    if (atEnd() || !isDigit(peek())) {
      return unexpected("in numeric literal");
    }
    while (!atEnd() && isDigit(peek())) {
      ++at_;
    }
    return {};
  }

  Result<JsonType> number() {
    if (peek() == '-') {
      ++at_;
    }
    if (!atEnd() && peek() == '0') {
      ++at_;
    } else {
      FLO_TRY(digits());
    }
    if (!atEnd() && peek() == '.') {
      ++at_;
      FLO_TRY(digits());
    }
    if (!atEnd() && (peek() == 'e' || peek() == 'E')) {
      ++at_;
      if (!atEnd() && (peek() == '+' || peek() == '-')) {
        ++at_;
      }
      FLO_TRY(digits());
    }
    return JsonType::Number;
  }

  Result<JsonType> string() {
    ++at_;
    while (!atEnd() && peek() != '"') {
      if (peek() == '\\') {
        FLO_TRY(escape());
        continue;
      }
      if (static_cast<unsigned char>(peek()) < 0x20) {
        return unexpected("in string");
      }
      const std::size_t length = sequenceLength(text_, at_);
      if (length == 0) {
        return invalid("invalid UTF-8 in string");
      }
      at_ += length;
    }
    if (atEnd()) {
      return unexpected({});
    }
    ++at_;
    return JsonType::String;
  }

  [[nodiscard]] Error badEscape(std::size_t length) const {
    return invalid("invalid escape sequence `" + std::string(text_.substr(at_, length)) +
                   "` in string");
  }

  [[nodiscard]] std::optional<std::uint32_t> unicodeAt(std::size_t at) const {
    if (text_.substr(at, 2) != "\\u" || at + 6 > text_.size()) {
      return std::nullopt;
    }
    std::uint32_t code = 0;
    for (const char c : text_.substr(at + 2, 4)) {
      constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
      const std::size_t digit = kDigits.find(c);
      if (digit == std::string_view::npos) {
        return std::nullopt;
      }
      code = code * 16 + static_cast<std::uint32_t>(digit < 16 ? digit : digit - 6);
    }
    return code;
  }

  Result<void> escape() {
    if (at_ + 1 >= text_.size()) {
      return invalid("unexpected EOF");
    }
    const char c = text_[at_ + 1];
    if (c != 'u') {
      if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
        return badEscape(2);
      }
      at_ += 2;
      return {};
    }
    const auto code = unicodeAt(at_);
    if (!code) {
      return badEscape(6);
    }
    const bool is_high = *code >= 0xD800 && *code <= 0xDBFF;
    const bool is_low = *code >= 0xDC00 && *code <= 0xDFFF;
    if (is_low) {
      return badEscape(6);
    }
    if (is_high) {
      const auto second = unicodeAt(at_ + 6);
      if (!second || *second < 0xDC00 || *second > 0xDFFF) {
        return badEscape(12);
      }
      at_ += 6;
    }
    at_ += 6;
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Container> open_;
};

std::string_view goName(JsonType type) {
  switch (type) {
    case JsonType::Null:
      return "null";
    case JsonType::Bool:
      return "bool";
    case JsonType::Number:
      return "number";
    case JsonType::String:
      return "string";
    case JsonType::Array:
      return "array";
    case JsonType::Object:
      return "object";
  }
  return "value";
}

}  // namespace

Result<JsonType> checkJson(std::string_view text) { return Checker(text).document(); }

Error wrongJsonType(JsonType type, std::string_view go_type) {
  return invalid("json: cannot unmarshal " + std::string(goName(type)) + " into Go value of type " +
                 std::string(go_type));
}

}  // namespace flotilla::gateway
