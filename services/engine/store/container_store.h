#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/store/container_record.h"
#include "engine/store/database.h"

/// Container rows, inside a transaction of the caller's. A state change is always "load, decide,
/// store" in one write, so that two workers cannot overwrite each other's transition.
namespace flotilla::engine {

struct Tombstone {
  std::string id;
  int exit_code = 0;
  std::string error;
};

/// Sets the record's revisions. Errors: Conflict in Docker's words when the name is taken;
/// AlreadyExists when the id is.
Result<void> insertContainer(Transaction& transaction, ContainerRecord& record);

/// The whole row, spec included. nullopt: no such id.
Result<std::optional<ContainerRecord>> loadContainer(Transaction& transaction,
                                                     const std::string& id);

/// The state columns alone.
Result<std::optional<ContainerState>> findState(Transaction& transaction, const std::string& id);

/// Loads the state, lets `change` edit it and stores it under a new revision. `change` returning an
/// error leaves the row alone. Errors: NotFound "No such container: <id>"; those of `change`.
Result<void> changeState(Transaction& transaction, const std::string& id,
                         const std::function<Result<void>(ContainerState&)>& change);

Result<void> replaceSpec(Transaction& transaction, const std::string& id,
                         const ContainerSpec& spec);

/// Errors: Conflict in Docker's words when the name is taken.
Result<void> renameContainer(Transaction& transaction, const std::string& id,
                             const std::string& name);

/// Removes the row and leaves a tombstone. False when there was no such row.
Result<bool> deleteContainer(Transaction& transaction, const Tombstone& tombstone,
                             std::int64_t now_ns);

/// A removal of the last ten minutes.
Result<std::optional<Tombstone>> findTombstone(Transaction& transaction, const std::string& id);

/// Rows changed after `revision`. `known` says what the reader has of an id (null: nothing), which
/// may be older than the row: what is the same there is not decoded again.
Result<std::vector<ContainerRecordPtr>> containersSince(
    Transaction& transaction, std::uint64_t revision,
    const std::function<ContainerRecordPtr(const std::string& id)>& known);
/// Id of the container with this name.
Result<std::optional<std::string>> ownerOfName(Transaction& transaction, const std::string& name);

Result<std::size_t> containerCount(Transaction& transaction);
Result<std::unordered_set<std::string>> containerIds(Transaction& transaction);

/// Ids removed after `revision`, with the revision of their removal.
Result<std::vector<std::pair<std::string, std::uint64_t>>> removalsSince(Transaction& transaction,
                                                                         std::uint64_t revision);

struct ImageUser {
  std::string id, image_id;
  bool running = false;
};

/// Containers made from the image with this id; all for "".
Result<std::vector<ImageUser>> usersOfImage(Transaction& transaction, const std::string& image_id);

/// "Conflict. The container name \"/x\" is already in use by container \"<id>\". ..."
Error nameConflict(const std::string& name, const std::string& owner_id);

/// "No such container: x".
Error noSuchContainer(std::string_view reference);

}  // namespace flotilla::engine
