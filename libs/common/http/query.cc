#include "common/http/exchange.h"
#include "common/http/percent.h"

namespace flotilla::http {

Result<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) {
      continue;
    }
    const std::size_t equals = pair.find('=');
    FLO_TRY_ASSIGN(std::string key, percentDecode(pair.substr(0, equals), PlusSign::Space));
    const std::string_view raw =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    FLO_TRY_ASSIGN(std::string value, percentDecode(raw, PlusSign::Space));
    query.values_[std::move(key)].push_back(std::move(value));
  }
  return query;
}

bool Query::has(std::string_view key) const { return values_.find(key) != values_.end(); }

std::string Query::get(std::string_view key) const {
  auto it = values_.find(key);
  return it == values_.end() ? std::string{} : it->second.front();
}

const std::vector<std::string>& Query::all(std::string_view key) const {
  static const std::vector<std::string> kNone;
  auto it = values_.find(key);
  return it == values_.end() ? kNone : it->second;
}

}  // namespace flotilla::http
