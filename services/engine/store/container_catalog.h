#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/store/container_record.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// All containers in memory, brought up to date from the database before every answer: a cache,
/// never the truth. An unchanged database costs a look at its version; a changed one a read of the
/// rows that changed. Thread-safe; records are immutable snapshots.
class ContainerCatalog {
 public:
  explicit ContainerCatalog(Database& database) : database_(database) {}

  /// By full id, name (with or without a slash), or unambiguous id prefix, in Docker's order and
  /// words. Errors: NotFound "No such container: x", InvalidArgument "multiple IDs found with
  /// provided prefix: x", InvalidArgument for "".
  Result<ContainerRecordPtr> get(std::string_view reference);
  /// By full id only. Null when absent.
  Result<ContainerRecordPtr> find(const std::string& id);
  /// Newest first.
  Result<std::vector<ContainerRecordPtr>> list();
  /// For who has inserted `record` and committed: spares decoding it.
  void inserted(ContainerRecord record);

 private:
  using Records = std::unordered_map<std::string, ContainerRecordPtr>;

  Result<void> refresh();
  Result<void> load();
  [[nodiscard]] ContainerRecordPtr known(const Records& fresh, const std::string& id) const;
  void put(ContainerRecordPtr record);
  void erase(const std::string& id);
  Result<void> dropForgotten();
  void sortIfNeeded();

  Database& database_;
  std::mutex refresh_mutex_;  // one refresh at a time; taken before mutex_
  std::shared_mutex mutex_;   // guards everything below
  bool loaded_ = false;
  std::uint64_t version_ = 0;   // Database::dataVersion() of this content
  std::uint64_t revision_ = 0;  // newest row or removal seen
  Records by_id_;
  std::unordered_map<std::string, std::string> id_by_name_;
  std::vector<ContainerRecordPtr> newest_first_;
  Records fresh_;                                          // inserted here, and not loaded since
  std::unordered_map<std::string, std::size_t> position_;  // in newest_first_
  bool unsorted_ = false;
};

}  // namespace flotilla::engine
