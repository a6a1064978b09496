#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/store/database.h"

namespace flotilla::engine {

/// Answers that hold until the next commit, for clients that ask the same again and again. Some
/// dozens, dropped all together. Thread-safe.
class RecentAnswers {
 public:
  explicit RecentAnswers(Database& database) : database_(database) {}

  /// nullopt when there is none, or it may be out of date. Never blocks on the database.
  [[nodiscard]] std::optional<std::string> find(const std::string& question) const;
  /// `version` is Database::dataVersion() from before the answer was looked up.
  void keep(const std::string& question, std::uint64_t version, std::string answer);

 private:
  Database& database_;
  mutable std::mutex mutex_;  // guards what follows; held for a look only
  std::uint64_t version_ = 0;
  std::unordered_map<std::string, std::shared_ptr<const std::string>> answers_;
};

}  // namespace flotilla::engine
