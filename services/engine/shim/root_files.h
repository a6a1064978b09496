#pragma once

#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine::shim {

/// A container's root directory. Every path is resolved inside it (openat2 RESOLVE_IN_ROOT, no
/// magic links), so no symlink of a hostile image leads out.
class RootFiles {
 public:
  /// Errors: Internal when `path` cannot be opened.
  static Result<RootFiles> open(const std::string& path);

  /// As openat2(2); invalid and errno set on failure.
  [[nodiscard]] UniqueFd openAt(const std::string& path, int flags) const;
  /// Content of a small regular file; "" when missing, special, unreadable or larger than 1 MiB.
  [[nodiscard]] std::string read(const std::string& path) const;
  /// Makes `path` and its parents (0755). Errors: InvalidArgument in Docker's words when a part of
  /// it is no directory.
  [[nodiscard]] Result<void> makeDirectories(const std::string& path) const;
  /// Makes an empty file (0755, as Docker's mount points) and its parents where nothing of that
  /// name is. Errors: as makeDirectories.
  [[nodiscard]] Result<void> makeFile(const std::string& path) const;

 private:
  explicit RootFiles(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace flotilla::engine::shim
