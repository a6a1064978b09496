#pragma once

#include <regex.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/list_filters.h"
#include "engine/store/container_catalog.h"

namespace flotilla::engine {

/// A value of a filter on names or ids: equal to them, or a regular expression that matches, as in
/// dockerd. One that is none, or would take too much to match (references to groups, thousands of
/// repetitions), matches what equals it.
class TextPattern {
 public:
  explicit TextPattern(std::string text);

  [[nodiscard]] bool matches(const std::string& text) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const regex_t> compiled_;  // shared by copies; null: not a regular expression
};

/// The filters of GET /containers/json, taken apart and checked once.
class ContainerFilters {
 public:
  /// Errors in Docker's words: InvalidArgument "invalid filter 'foo'", and for a pattern of more
  /// than 1024 characters; NotFound for an unknown container in before or since, where an RFC 3339
  /// time is good as well. `image_id` resolves an ancestor ("" = no such image).
  static Result<ContainerFilters> parse(
      std::string_view text, ContainerCatalog& catalog,
      const std::function<std::string(const std::string&)>& image_id);

  [[nodiscard]] bool matches(const ContainerRecord& record) const;
  /// A filter on status or exit code looks at stopped containers too.
  [[nodiscard]] bool wantsAll() const { return !status_.empty() || !exited_.empty(); }
  [[nodiscard]] bool empty() const { return filters_.empty(); }

 private:
  Result<void> take(const std::string& name, const std::string& value, ContainerCatalog& catalog,
                    const std::function<std::string(const std::string&)>& image_id);
  [[nodiscard]] bool matchesOne(const std::string& name, const std::vector<std::string>& values,
                                const ContainerRecord& record) const;

  model::ListFilters filters_;
  std::vector<ContainerStatus> status_;
  std::vector<int> exited_;
  std::vector<std::string> ancestor_ids_;
  std::vector<TextPattern> names_, ids_;
  std::optional<std::int64_t> before_ns_, since_ns_;
};

}  // namespace flotilla::engine
