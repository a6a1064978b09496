#pragma once

#include <string>
#include <utility>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// Programs that containers go on to need after the engine that brought them is gone: one folder
/// for each version, named by the digest of its content, in `<root>/bin`.
class ProgramStore {
 public:
  /// A version in use: it is not removed while this lives, nor while a process runs one of its
  /// programs.
  struct Version {
    std::string folder;
    UniqueFd in_use;
  };

  explicit ProgramStore(std::string folder) : folder_(std::move(folder)) {}

  /// Copies the folder `source` to `digest`, unless it is there. Whole or not at all, whoever does
  /// the same at the same time. Errors: Internal, DeadlineExceeded.
  Result<Version> place(const std::string& source, const std::string& digest) const;

  /// Removes versions that nobody uses and what an interrupted copy left.
  void removeUnused() const;

 private:
  Result<void> copy(const std::string& source, const std::string& digest) const;

  std::string folder_;
};

}  // namespace flotilla::engine
