#pragma once

#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::process {

/// The daemon's pid file. Whoever lives holds a lock on it, so a file left by a crash never blocks
/// a start, whatever process has that pid today. Removed by the destructor.
class PidFile {
 public:
  /// Errors: AlreadyExists naming the pid of the daemon that lives; Internal.
  static Result<PidFile> create(const std::string& path);

  PidFile(const PidFile&) = delete;
  PidFile(PidFile&&) noexcept = default;
  PidFile& operator=(const PidFile&) = delete;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace flotilla::process
