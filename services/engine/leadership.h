#pragma once

#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/store/paths.h"

namespace flotilla::engine {

/// One worker of a host is its leader: whoever holds flock on `<run>/leader.lock`. The kernel hands
/// it over when the leader dies (decisions.md 19). Not thread-safe.
class Leadership {
 public:
  explicit Leadership(std::string path) : path_(std::move(path)) {}

  /// Whether this worker leads, from now on perhaps. Never blocks.
  bool seek();

 private:
  const std::string path_;
  UniqueFd lock_;
};

/// Serialises the starts of a host's workers: held while one opens the state and reconciles.
/// Errors: Unavailable when another one does not finish within a minute.
Result<UniqueFd> takeStartTurn(const std::string& path);

/// Whose a state folder is.
enum class Holders {
  One,      // a daemon alone
  Several,  // the workers of one engine, with one run folder
};

/// Holds a state folder for as long as it lives. One that is just being let go is waited for.
/// Errors: AlreadyExists, naming the folder, when another engine holds it; Internal.
Result<UniqueFd> holdRoot(const Paths& paths, Holders holders);

}  // namespace flotilla::engine
