#include "common/http/router.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace flotilla::http {
namespace {

constexpr std::string_view kWide = ":.*";

bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view firstSegment(std::string_view path) {
  path.remove_prefix(path.empty() ? 0 : 1);
  return path.substr(0, path.find('/'));
}

[[noreturn]] void refusePattern(std::string_view pattern) {
  (void)std::fprintf(stderr, "bad route pattern: %.*s\n", static_cast<int>(pattern.size()),
                     pattern.data());
  std::abort();
}

}  // namespace

std::string_view Router::Match::param(std::string_view name) const {
  auto it = std::find_if(params.begin(), params.end(),
                         [name](const auto& param) { return param.first == name; });
  return it == params.end() ? std::string_view{} : std::string_view(it->second);
}

std::pair<std::string_view, std::string_view> splitVersion(std::string_view path) {
  if (path.size() < 3 || path[0] != '/' || path[1] != 'v' || !isDigit(path[2])) {
    return {{}, path};
  }
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view version = path.substr(2, end - 2);
  const bool numeric =
      std::all_of(version.begin(), version.end(), [](char c) { return isDigit(c) || c == '.'; });
  if (!numeric || version.find('.') == std::string_view::npos) {
    return {{}, path};
  }
  return {version, end == path.size() ? std::string_view("/") : path.substr(end)};
}

Router::Router(const std::vector<Route>& table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::string_view first = firstSegment(table[i].pattern);
    if (table[i].pattern.empty() || table[i].pattern.front() != '/' ||
        first.find('{') != std::string_view::npos) {
      refusePattern(table[i].pattern);
    }
    by_first_segment_[std::string(first)].push_back(
        {table[i].method, compile(table[i].pattern), i});
  }
}

std::vector<Router::Piece> Router::compile(std::string_view pattern) {
  std::vector<Piece> pieces;
  bool wide_seen = false;
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t open = rest.find('{');
    if (open != 0) {
      pieces.push_back({Piece::Kind::Literal, std::string(rest.substr(0, open))});
      rest.remove_prefix(std::min(open, rest.size()));
      continue;
    }
    const std::size_t close = rest.find('}');
    const bool adjacent = !pieces.empty() && pieces.back().kind != Piece::Kind::Literal;
    if (close == std::string_view::npos || adjacent) {
      refusePattern(pattern);
    }
    std::string_view name = rest.substr(1, close - 1);
    const bool wide =
        name.size() > kWide.size() && name.substr(name.size() - kWide.size()) == kWide;
    name.remove_suffix(wide ? kWide.size() : 0);
    if (wide && wide_seen) {
      refusePattern(pattern);  // two would take quadratic time on long paths
    }
    wide_seen = wide_seen || wide;
    pieces.push_back({wide ? Piece::Kind::Rest : Piece::Kind::Segment, std::string(name)});
    rest.remove_prefix(close + 1);
  }
  return pieces;
}

bool Router::fits(const std::vector<Piece>& pieces, std::size_t from, std::string_view path,
                  Params& params) {
  if (from == pieces.size()) {
    return path.empty();
  }
  const Piece& piece = pieces[from];
  if (piece.kind != Piece::Kind::Literal) {
    return fitsHole(pieces, from, path, params);
  }
  return path.substr(0, piece.text.size()) == piece.text &&
         fits(pieces, from + 1, path.substr(piece.text.size()), params);
}

bool Router::fitsHole(const std::vector<Piece>& pieces, std::size_t from, std::string_view path,
                      Params& params) {
  const bool wide = pieces[from].kind == Piece::Kind::Rest;
  const std::size_t longest = wide ? path.size() : std::min(path.find('/'), path.size());
  const std::string_view next =
      from + 1 < pieces.size() ? std::string_view(pieces[from + 1].text) : std::string_view{};
  if (from + 1 == pieces.size()) {
    if (longest == 0 || longest != path.size()) {
      return false;
    }
    params.emplace_back(pieces[from].text, std::string(path));
    return true;
  }
  // Holes never touch, so the literal behind this one tells where it may end: last place first.
  for (std::size_t end = path.rfind(next, longest); end != std::string_view::npos && end > 0;
       end = path.rfind(next, end - 1)) {
    if (fits(pieces, from + 1, path.substr(end), params)) {
      params.emplace(params.begin(), pieces[from].text, std::string(path.substr(0, end)));
      return true;
    }
  }
  return false;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  const auto [version, rest] = splitVersion(path);
  match.version = version;
  auto routes = by_first_segment_.find(firstSegment(rest));
  if (routes == by_first_segment_.end()) {
    return match;
  }
  for (const Compiled& route : routes->second) {
    Params params;
    if (!fits(route.pieces, 0, rest, params)) {
      continue;
    }
    if (route.method == method) {
      match.outcome = Outcome::Found;
      match.route = route.index;
      match.params = std::move(params);
      return match;
    }
    match.outcome = Outcome::MethodNotAllowed;
  }
  return match;
}

}  // namespace flotilla::http
