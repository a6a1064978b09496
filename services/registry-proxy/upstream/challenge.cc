#include "registry-proxy/upstream/challenge.h"

#include <strings.h>

#include <vector>

namespace flotilla::registry {
namespace {

bool isTokenChar(char c) { return c > ' ' && c != ',' && c != '=' && c != '"'; }

/// A reader of RFC 9110 challenges: scheme, then name=value or name="value" separated by commas.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool atEnd() const { return text_.empty(); }
  void skipSeparators() { skip(" \t,"); }
  void skipSpaces() { skip(" \t"); }

  std::string token() {
    std::string out;
    while (!text_.empty() && isTokenChar(text_.front())) {
      out += take();
    }
    return out;
  }

  bool accept(char wanted) {
    if (text_.empty() || text_.front() != wanted) {
      return false;
    }
    take();
    return true;
  }

  std::string value() {
    if (!accept('"')) {
      return token();
    }
    std::string out;
    while (!text_.empty() && text_.front() != '"') {
      if (text_.front() == '\\' && text_.size() > 1) {
        take();
      }
      out += take();
    }
    accept('"');
    return out;
  }

  /// What cannot be understood is passed over one character at a time.
  void drop() { take(); }

 private:
  void skip(std::string_view set) {
    const std::size_t end = text_.find_first_not_of(set);
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end);
  }
  char take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  std::string_view text_;
};

void setParameter(Challenge& challenge, const std::string& name, std::string value) {
  if (::strcasecmp(name.c_str(), "realm") == 0) {
    challenge.realm = std::move(value);
  } else if (::strcasecmp(name.c_str(), "service") == 0) {
    challenge.service = std::move(value);
  } else if (::strcasecmp(name.c_str(), "scope") == 0) {
    challenge.scope = std::move(value);
  } else if (::strcasecmp(name.c_str(), "error") == 0) {
    challenge.error = std::move(value);
  }
}

}  // namespace

std::optional<Challenge> Challenge::parse(std::string_view header) {
  std::vector<std::pair<std::string, Challenge>> found;
  Scanner scanner(header);
  for (scanner.skipSeparators(); !scanner.atEnd(); scanner.skipSeparators()) {
    std::string word = scanner.token();
    if (word.empty()) {
      scanner.drop();
      continue;
    }
    scanner.skipSpaces();
    if (!scanner.accept('=')) {
      found.emplace_back(std::move(word), Challenge{});
    } else if (!found.empty()) {
      scanner.skipSpaces();
      setParameter(found.back().second, word, scanner.value());
    }
  }
  for (const auto& [name, scheme] :
       {std::pair("bearer", Scheme::Bearer), std::pair("basic", Scheme::Basic)}) {
    for (auto& [word, challenge] : found) {
      if (::strcasecmp(word.c_str(), name) == 0 &&
          (scheme == Scheme::Basic || !challenge.realm.empty())) {
        challenge.scheme = scheme;
        return challenge;
      }
    }
  }
  return std::nullopt;
}

}  // namespace flotilla::registry
