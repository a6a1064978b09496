#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/list_filters.h"
#include "engine/store/container_catalog.h"

namespace flotilla::engine {

/// The filters of GET /containers/json, taken apart and checked once.
class ContainerFilters {
 public:
  /// Errors in Docker's words: InvalidArgument "invalid filter 'foo'"; NotFound for an unknown
  /// container in before or since, where an RFC 3339 time is good as well. `image_id` resolves an
  /// ancestor ("" = no such image).
  static Result<ContainerFilters> parse(
      std::string_view text, ContainerCatalog& catalog,
      const std::function<std::string(const std::string&)>& image_id);

  [[nodiscard]] bool matches(const ContainerRecord& record) const;
  /// A filter on status or exit code looks at stopped containers too.
  [[nodiscard]] bool wantsAll() const { return !status_.empty() || !exited_.empty(); }
  [[nodiscard]] bool empty() const { return filters_.empty(); }

 private:
  [[nodiscard]] bool matchesOne(const std::string& name, const std::vector<std::string>& values,
                                const ContainerRecord& record) const;

  model::ListFilters filters_;
  std::vector<ContainerStatus> status_;
  std::vector<int> exited_;
  std::vector<std::string> ancestor_ids_;
  std::optional<std::int64_t> before_ns_, since_ns_;
};

}  // namespace flotilla::engine
