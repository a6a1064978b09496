#include "common/process/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/os/file_lock.h"

namespace flotilla::process {
namespace {

std::string readPid(int fd) {
  std::array<char, 16> buffer{};
  const ssize_t size = ::pread(fd, buffer.data(), buffer.size(), 0);
  const std::string_view text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Result<PidFile> PidFile::create(const std::string& path) {
  UniqueFd fd;
  do {
    fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) {
      return sysError("open pid file " + path, errno);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      return Error{ErrorKind::AlreadyExists, "a daemon is running already (pid " +
                                                 readPid(fd.get()) + " holds " + path + ")"};
    }
  } while (!isStill(fd.get(), path));
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return sysError("write pid file " + path, errno);
  }
  return PidFile(path, std::move(fd));
}

PidFile::~PidFile() {
  if (fd_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace flotilla::process
