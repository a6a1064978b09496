#include "engine/shim/root_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace flotilla::engine::shim {
namespace {

constexpr std::size_t kMaxFile = 1U << 20U;

}  // namespace

Result<RootFiles> RootFiles::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return sysError("open container root " + path, errno);
  }
  return RootFiles(std::move(fd));
}

UniqueFd RootFiles::openAt(const std::string& path, int flags) const {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, fd_.get(), path.c_str(), &how, sizeof(how))));
}

std::string RootFiles::read(const std::string& path) const {
  // O_NONBLOCK: an image may hold a FIFO of this name.
  const UniqueFd fd = openAt(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return {};
  }
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() <= kMaxFile) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return {};
}

Result<void> RootFiles::makeDirectories(const std::string& path) const {
  if (openAt(path, O_PATH | O_DIRECTORY)) {
    return {};
  }
  UniqueFd parent = openAt("/", O_PATH | O_DIRECTORY);
  std::size_t end = 0;
  while (end < path.size()) {
    const std::size_t begin = path.find_first_not_of('/', end);
    if (begin == std::string::npos) {
      break;
    }
    end = std::min(path.find('/', begin), path.size());
    const std::string prefix = path.substr(0, end);
    UniqueFd next = openAt(prefix, O_PATH | O_DIRECTORY);
    if (!next && errno == ENOENT &&
        ::mkdirat(parent.get(), path.substr(begin, end - begin).c_str(), 0755) == 0) {
      next = openAt(prefix, O_PATH | O_DIRECTORY);
    }
    if (!next && errno == ENOTDIR) {
      return Error{ErrorKind::Internal, "Cannot mkdir: " + path + " is not a directory"};
    }
    if (!next) {
      return sysError("mkdir " + path, errno);
    }
    parent = std::move(next);
  }
  return {};
}

Result<void> RootFiles::makeFile(const std::string& path) const {
  if (openAt(path, O_PATH)) {
    return {};
  }
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
  FLO_TRY(makeDirectories(parent));
  const UniqueFd folder = openAt(parent, O_PATH | O_DIRECTORY);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  const UniqueFd made(
      ::openat(folder.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755));
  if (!made && errno != EEXIST) {
    return sysError("create " + path, errno);
  }
  return {};
}

}  // namespace flotilla::engine::shim
