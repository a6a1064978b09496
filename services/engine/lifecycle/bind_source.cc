#include "engine/lifecycle/bind_source.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace flotilla::engine {
namespace {

UniqueFd openTree(const std::string& path) {
  constexpr unsigned kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  return UniqueFd(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), kFlags)));
}

}  // namespace

Result<OpenedSource> openBindSource(const std::string& path, MissingSource missing) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT || missing == MissingSource::Refuse) {
      return Error{
          ErrorKind::InvalidArgument,
          "invalid mount config for type \"bind\": bind source path does not exist: " + path};
    }
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    if (failed || ::stat(path.c_str(), &status) != 0) {
      return Error{ErrorKind::Internal, "error while creating mount source path '" + path +
                                            "': mkdir " + path + ": " + failed.message()};
    }
  }
  OpenedSource opened;
  opened.is_directory = S_ISDIR(status.st_mode);
  opened.tree = openTree(path);
  if (!opened.tree) {
    return sysError("open mount source " + path, errno);
  }
  return opened;
}

}  // namespace flotilla::engine
