#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::http {

/// Finds the route of a request. Built once from a table, immutable and thread-safe afterwards.
///
/// A pattern is literal text with holes: `{name}` is one path segment, `{name:.*}` any text,
/// slashes included; neither is empty. A wide hole takes as much as it can while the rest of the
/// pattern still fits: "/images/{name:.*}/json" takes "a/b" from "/images/a/b/json". The first
/// segment of a pattern is literal, and it has one wide hole at most. Of several matching routes
/// the first in the table wins. Every pattern is served with and without a version in front
/// ("/v1.43").
class Router {
 public:
  struct Route {
    std::string method;
    std::string pattern;
  };

  enum class Outcome { Found, NotFound, MethodNotAllowed };

  struct Match {
    Outcome outcome = Outcome::NotFound;
    std::size_t route = 0;                                              // index in the table
    std::vector<std::pair<std::string_view, std::string>> params = {};  // names live in the router
    std::string version = {};  // "1.43", "" when the path had none

    /// "" when the pattern has no such hole.
    [[nodiscard]] std::string_view param(std::string_view name) const;
  };

  /// The table is the program's own: a malformed pattern ends the process.
  explicit Router(const std::vector<Route>& table);

  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;

 private:
  struct Piece {
    enum class Kind { Literal, Segment, Rest };
    Kind kind;
    std::string text;  // the literal, or the hole's name
  };
  struct Compiled {
    std::string method;
    std::vector<Piece> pieces;
    std::size_t index;
  };
  using Params = std::vector<std::pair<std::string_view, std::string>>;

  static std::vector<Piece> compile(std::string_view pattern);
  static bool fits(const std::vector<Piece>& pieces, std::size_t from, std::string_view path,
                   Params& params);
  static bool fitsHole(const std::vector<Piece>& pieces, std::size_t from, std::string_view path,
                       Params& params);

  std::map<std::string, std::vector<Compiled>, std::less<>> by_first_segment_;
};

/// Splits "/v1.43/containers/json" into "1.43" and "/containers/json"; no version is "".
std::pair<std::string_view, std::string_view> splitVersion(std::string_view path);

}  // namespace flotilla::http
