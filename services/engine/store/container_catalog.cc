#include "engine/store/container_catalog.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMostFresh = 4096;

bool newer(const ContainerRecordPtr& a, const ContainerRecordPtr& b) {
  return a->created_ns != b->created_ns ? a->created_ns > b->created_ns : a->id < b->id;
}

}  // namespace

Result<ContainerRecordPtr> ContainerCatalog::get(std::string_view reference) {
  FLO_TRY(refresh());
  const std::shared_lock lock(mutex_);
  if (reference.empty()) {
    return Error{ErrorKind::InvalidArgument, "No such container: "};
  }
  const std::string key(reference);
  if (const auto exact = by_id_.find(key); exact != by_id_.end()) {
    return exact->second;
  }
  const auto named = id_by_name_.find(key.front() == '/' ? key.substr(1) : key);
  if (named != id_by_name_.end()) {
    return by_id_.at(named->second);
  }
  ContainerRecordPtr match;
  for (const auto& [id, record] : by_id_) {
    if (id.starts_with(reference)) {
      if (match) {
        return Error{ErrorKind::InvalidArgument, "multiple IDs found with provided prefix: " + key};
      }
      match = record;
    }
  }
  if (!match) {
    return noSuchContainer(reference);
  }
  return match;
}

Result<ContainerRecordPtr> ContainerCatalog::find(const std::string& id) {
  FLO_TRY(refresh());
  const std::shared_lock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? ContainerRecordPtr() : found->second;
}

Result<std::vector<ContainerRecordPtr>> ContainerCatalog::list() {
  FLO_TRY(refresh());
  const std::shared_lock lock(mutex_);
  return newest_first_;
}

Result<void> ContainerCatalog::refresh() {
  // The version is read before the snapshot: a commit in between is seen twice, never missed.
  const std::uint64_t version = database_.dataVersion();
  {
    const std::shared_lock lock(mutex_);
    if (loaded_ && version == version_) {
      return {};
    }
  }
  const std::lock_guard refreshing(refresh_mutex_);
  const std::uint64_t again = database_.dataVersion();
  {
    const std::shared_lock lock(mutex_);
    if (loaded_ && again == version_) {
      return {};
    }
  }
  FLO_TRY(load());
  const std::unique_lock lock(mutex_);
  version_ = again;
  loaded_ = true;
  return {};
}

void ContainerCatalog::inserted(ContainerRecord record) {
  auto shared = std::make_shared<const ContainerRecord>(std::move(record));
  const std::unique_lock lock(mutex_);
  if (fresh_.size() < kMostFresh) {
    fresh_[shared->id] = std::move(shared);
  }
}

/// refresh_mutex_ keeps by_id_ still: only who has it changes it.
ContainerRecordPtr ContainerCatalog::known(const Records& fresh, const std::string& id) const {
  if (const auto old = by_id_.find(id); old != by_id_.end()) {
    return old->second;
  }
  const auto made = fresh.find(id);
  return made == fresh.end() ? nullptr : made->second;
}

Result<void> ContainerCatalog::load() {
  std::uint64_t revision = 0;
  Records fresh;
  {
    const std::unique_lock lock(mutex_);
    revision = revision_;
    fresh.swap(fresh_);
  }
  std::vector<ContainerRecordPtr> changed;
  std::vector<std::pair<std::string, std::uint64_t>> removed;
  std::size_t count = 0;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(changed, containersSince(transaction, revision, [&](const std::string& id) {
                     return known(fresh, id);
                   }));
    FLO_TRY_ASSIGN(removed, removalsSince(transaction, revision));
    FLO_TRY_ASSIGN(count, containerCount(transaction));
    return {};
  }));
  {
    const std::unique_lock lock(mutex_);
    for (auto& record : changed) {
      revision_ = std::max(revision_, record->revision);
      put(std::move(record));
    }
    for (const auto& [id, at] : removed) {
      revision_ = std::max(revision_, at);
      erase(id);
    }
    sortIfNeeded();
    if (by_id_.size() == count) {
      return {};
    }
  }
  return dropForgotten();
}

/// A removal leaves its mark for some minutes only: who looked at nothing for longer missed it.
Result<void> ContainerCatalog::dropForgotten() {
  std::unordered_set<std::string> present;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(present, containerIds(transaction));
    return {};
  }));
  const std::unique_lock lock(mutex_);
  std::vector<std::string> gone;
  for (const auto& [id, record] : by_id_) {
    if (!present.contains(id)) {
      gone.push_back(id);
    }
  }
  for (const std::string& id : gone) {
    erase(id);
  }
  sortIfNeeded();
  return {};
}

void ContainerCatalog::put(ContainerRecordPtr record) {
  const auto old = by_id_.find(record->id);
  if (old != by_id_.end() && old->second->name != record->name) {
    // Another container may have taken the old name in the same batch.
    if (const auto named = id_by_name_.find(old->second->name);
        named != id_by_name_.end() && named->second == record->id) {
      id_by_name_.erase(named);
    }
  }
  id_by_name_[record->name] = record->id;
  if (const auto at = position_.find(record->id); at != position_.end()) {
    newest_first_[at->second] = record;
  } else {
    newest_first_.push_back(record);
    unsorted_ = true;
  }
  by_id_[record->id] = std::move(record);
}

void ContainerCatalog::erase(const std::string& id) {
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) {
    return;
  }
  if (const auto named = id_by_name_.find(known->second->name);
      named != id_by_name_.end() && named->second == id) {
    id_by_name_.erase(named);
  }
  std::erase(newest_first_, known->second);
  by_id_.erase(known);
  unsorted_ = true;
}

void ContainerCatalog::sortIfNeeded() {
  if (!std::exchange(unsorted_, false)) {
    return;
  }
  std::sort(newest_first_.begin(), newest_first_.end(), newer);
  position_.clear();
  for (std::size_t i = 0; i < newest_first_.size(); ++i) {
    position_[newest_first_[i]->id] = i;
  }
}

}  // namespace flotilla::engine
