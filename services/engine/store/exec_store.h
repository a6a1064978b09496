#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/container.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// One `docker exec`. Kept 5 minutes after its exit, at most 1,000 a container (decisions.md 12).
struct ExecRecord {
  enum class State { Created, Started, Exited } state = State::Created;

  std::string id, container;
  model::ExecConfig config;
  int pid = 0;
  std::optional<int> exit_code;
};

Result<void> insertExec(Transaction& transaction, const ExecRecord& exec);
/// Forgets a container's execs that are kept no longer. Sorts them: for every some insertions.
Result<void> expireExecs(Transaction& transaction, const std::string& container,
                         std::int64_t now_ns);
Result<std::optional<ExecRecord>> loadExec(Transaction& transaction, const std::string& id);
/// Created to Started. False when it was not in state Created.
Result<bool> claimExec(Transaction& transaction, const std::string& id);
Result<void> noteExecPid(Transaction& transaction, const std::string& id, int pid);
Result<void> noteExecExit(Transaction& transaction, const std::string& id, int exit_code,
                          std::int64_t now_ns);
/// Started ones of a container whose processes are all gone end with `exit_code`; returns their
/// ids.
Result<std::vector<std::string>> endExecs(Transaction& transaction, const std::string& container,
                                          int exit_code, std::int64_t now_ns);
/// Ids of a container's execs that inspect shows: not exited yet and started.
Result<std::vector<std::string>> runningExecs(Transaction& transaction,
                                              const std::string& container);

/// For exec rows: JSON of the project's own.
std::string encodeExecConfig(const model::ExecConfig& config);
model::ExecConfig decodeStoredExecConfig(const std::string& text);

}  // namespace flotilla::engine
