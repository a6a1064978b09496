#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "engine/images/image_store.h"

namespace flotilla::engine {

struct HistoryEntry {
  std::optional<std::int64_t> created_ns;
  std::string created_by, comment;
  bool empty_layer = false;
};

/// An image's configuration document (OCI image config, Docker's image JSON), decoded. A value.
struct ImageDocument {
  std::string id;  // "sha256:<hex>" of the text
  std::string architecture, variant, os, os_version, author, comment, docker_version, container;
  std::string created_text;  // as written; "" when absent
  std::optional<std::int64_t> created_ns;
  std::vector<std::string> diff_ids;
  std::vector<HistoryEntry> history;
  nlohmann::json config;            // "config", an object (empty when absent)
  nlohmann::json container_config;  // "container_config", an object

  /// Errors: InvalidArgument saying what is wrong with it.
  static Result<ImageDocument> parse(std::string_view text);

  [[nodiscard]] ImageConfig containerDefaults() const;
  [[nodiscard]] std::vector<std::string> chainIds() const;
};

/// OCI chain IDs of layers applied in order, lowest first.
std::vector<std::string> chainIdsOf(const std::vector<std::string>& diff_ids);

/// Nanoseconds since the epoch of "2026-11-22T02:36:17.084Z" and its kin.
std::optional<std::int64_t> parseRfc3339(std::string_view text);

}  // namespace flotilla::engine
