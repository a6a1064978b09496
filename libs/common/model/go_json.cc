#include "common/model/go_json.h"

#include <optional>
#include <string_view>
#include <vector>

namespace flotilla::model {
namespace {

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string quoted(char c) {
  std::string text = "'";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\'' || c == '\\') {
    text += '\\';
  }
  if (byte < 0x20 || byte >= 0x7f) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    text += "\\x";
    text += kHex[byte >> 4U];
    text += kHex[byte & 15U];
  } else {
    text += c;
  }
  text += '\'';
  return text;
}

/// Finds what is wrong with a text that is not one JSON value, in the words of Go's scanner. Keeps
/// its own stack: nesting is the client's choice.
class SyntaxCheck {
 public:
  explicit SyntaxCheck(std::string_view text) : text_(text) {}

  /// The complaint; nullopt when a complete value was read (at() is behind it).
  std::optional<std::string> run() {
    do {
      step();
    } while (!done_ && !problem_);
    return problem_;
  }
  [[nodiscard]] bool onlySpaceLeft() const {
    return text_.find_first_not_of(" \t\r\n", at_) == std::string_view::npos;
  }

 private:
  enum class Expect { Value, FirstElement, FirstKey, Key, Colon, CommaOrEnd };

  void complain(std::string_view where) {
    if (!problem_) {
      problem_ = at_ < text_.size()
                     ? "invalid character " + quoted(text_[at_]) + " " + std::string(where)
                     : "unexpected EOF";
    }
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) {
      return false;
    }
    ++at_;
    return true;
  }

  void step() {
    while (at_ < text_.size() && isSpace(text_[at_])) {
      ++at_;
    }
    switch (expect_) {
      case Expect::FirstElement:
        if (take(']')) {
          return close();
        }
        [[fallthrough]];
      case Expect::Value:
        return value();
      case Expect::FirstKey:
        if (take('}')) {
          return close();
        }
        [[fallthrough]];
      case Expect::Key:
        return key();
      case Expect::Colon:
        expect_ = Expect::Value;
        return take(':') ? void() : complain("after object key");
      case Expect::CommaOrEnd:
        return commaOrEnd();
    }
  }

  void key() {
    if (!take('"')) {
      return complain("looking for beginning of object key string");
    }
    string();
    expect_ = Expect::Colon;
  }

  void commaOrEnd() {
    const bool object = stack_.back() == '{';
    if (take(',')) {
      expect_ = object ? Expect::Key : Expect::Value;
    } else if (take(object ? '}' : ']')) {
      close();
    } else {
      complain(object ? "after object key:value pair" : "after array element");
    }
  }

  void close() {
    stack_.pop_back();
    ended();
  }
  void ended() {
    done_ = stack_.empty();
    expect_ = Expect::CommaOrEnd;
  }

  void value() {
    if (take('{')) {
      stack_.push_back('{');
      expect_ = Expect::FirstKey;
    } else if (take('[')) {
      stack_.push_back('[');
      expect_ = Expect::FirstElement;
    } else {
      scalar();
      ended();
    }
  }

  void scalar() {
    switch (peek()) {
      case '"':
        ++at_;
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  void literal(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (!take(word[i])) {
        return complain("in literal " + std::string(word) + " (expecting '" + word[i] + "')");
      }
    }
  }

  void string() {
    while (!take('"')) {
      if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) {
        return complain("in string literal");
      }
      if (take('\\')) {
        escape();
      } else {
        ++at_;
      }
      if (problem_) {
        return;
      }
    }
  }

  void escape() {
    if (take('u')) {
      for (int i = 0; i < 4; ++i, ++at_) {
        if (!isHex(peek())) {
          return complain("in \\u hexadecimal character escape");
        }
      }
    } else if (at_ < text_.size() &&
               std::string_view("bfnrt\\/\"").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    } else {
      complain("in string escape code");
    }
  }

  void digits(std::string_view where) {
    if (!isDigit(peek())) {
      return complain(where);
    }
    while (isDigit(peek())) {
      ++at_;
    }
  }

  void number() {
    const bool negative = take('-');
    if (!isDigit(peek())) {
      return complain(negative ? "in numeric literal" : "looking for beginning of value");
    }
    if (!take('0')) {
      digits("in numeric literal");
    }
    if (take('.')) {
      digits("after decimal point in numeric literal");
    }
    if (!problem_ && (take('e') || take('E'))) {
      if (!take('+')) {
        take('-');
      }
      digits("in exponent of numeric literal");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Expect expect_ = Expect::Value;
  std::vector<char> stack_;
  bool done_ = false;
  std::optional<std::string> problem_;
};

Error describeProblem(const std::string& body) {
  SyntaxCheck check(body);
  if (check.onlySpaceLeft()) {
    return Error(ErrorKind::InvalidArgument, "invalid JSON: got EOF while reading request body");
  }
  if (auto problem = check.run()) {
    return Error(ErrorKind::InvalidArgument, "invalid JSON: " + *problem);
  }
  if (!check.onlySpaceLeft()) {
    return Error(ErrorKind::InvalidArgument, "unexpected content after JSON");
  }
  // Well-formed but refused all the same: bytes that are not UTF-8, or half a surrogate pair.
  return Error(ErrorKind::InvalidArgument, "invalid JSON: invalid UTF-8 in string");
}

}  // namespace

Result<nlohmann::json> parseBody(const std::string& body) {
  nlohmann::json document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_discarded()) {
    return describeProblem(body);
  }
  return document;
}

}  // namespace flotilla::model
