#include "common/os/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "common/os/random.h"
#include "common/os/unique_fd.h"

namespace flotilla {
namespace {

Result<void> writeAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return sysError("write " + path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string folderOf(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> syncFolder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return sysError("open " + folder, errno);
  }
  if (::fsync(fd.get()) != 0) {
    return sysError("fsync " + folder, errno);
  }
  return {};
}

Result<void> writeTemporary(const std::string& path, std::string_view content, mode_t mode,
                            Durability durability) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("create " + path, errno);
  }
  FLO_TRY(writeAll(fd.get(), content, path));
  if (::fchmod(fd.get(), mode) != 0) {  // the mode asked for, whatever the umask
    return sysError("chmod " + path, errno);
  }
  if (durability == Durability::Synced && ::fsync(fd.get()) != 0) {
    return sysError("fsync " + path, errno);
  }
  return {};
}

}  // namespace

Result<std::string> readFile(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  std::string out;
  std::array<char, 16384> chunk{};
  for (;;) {
    ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return sysError("read " + path, errno);
    }
    if (n == 0) {
      return out;
    }
    out.append(chunk.data(), static_cast<std::size_t>(n));
    if (out.size() > limit) {
      return Error(ErrorKind::Internal,
                   path + " is larger than " + std::to_string(limit) + " bytes");
    }
  }
}

Result<void> writeFileAtomically(const std::string& path, std::string_view content, mode_t mode,
                                 Durability durability) {
  const std::string temporary = path + ".tmp-" + randomHex(6);
  Result<void> written = writeTemporary(temporary, content, mode, durability);
  if (written && std::rename(temporary.c_str(), path.c_str()) != 0) {
    written = sysError("rename " + temporary, errno);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return durability == Durability::Synced ? syncFolder(folderOf(path)) : Result<void>{};
}

}  // namespace flotilla
