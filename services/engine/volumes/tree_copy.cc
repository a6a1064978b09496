#include "engine/volumes/tree_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

constexpr int kMaxDepth = 400;  // two descriptors each
constexpr std::size_t kChunk = 1U << 20U;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> namesIn(int directory) {
  // A descriptor of its own: reading moves the offset, and closedir closes.
  UniqueFd again(::openat(directory, ".", kOpenDirectory));
  const std::unique_ptr<DIR, CloseDirectory> stream(again ? ::fdopendir(again.get()) : nullptr);
  if (!stream) {
    return sysError("read a directory", errno);
  }
  [[maybe_unused]] const int owned = again.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  if (errno != 0) {
    return sysError("read a directory", errno);
  }
  return names;
}

Result<void> copyBytes(int source, int target, const std::string& name) {
  while (true) {
    const ssize_t copied = ::copy_file_range(source, nullptr, target, nullptr, kChunk, 0);
    if (copied == 0) {
      return {};
    }
    if (copied < 0) {
      if (errno == EINTR) {
        continue;
      }
      break;  // other file systems: by hand, from where the offsets stand
    }
  }
  std::vector<char> buffer(64 * 1024);
  while (true) {
    const ssize_t got = ::read(source, buffer.data(), buffer.size());
    if (got == 0) {
      return {};
    }
    if (got < 0) {
      return sysError("read " + name, errno);
    }
    for (ssize_t done = 0; done < got;) {
      const ssize_t written =
          ::write(target, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0) {
        return sysError("write " + name, errno);
      }
      done += written;
    }
  }
}

/// Attributes that the target's file system refuses are left out, as cp and dockerd do.
void copyAttributes(int source, int target) {
  std::vector<char> names(4096);
  const ssize_t size = ::flistxattr(source, names.data(), names.size());
  std::vector<char> value(64 * 1024);
  for (ssize_t at = 0; at < size;) {
    const char* name = names.data() + at;
    const std::string text = name;
    at += static_cast<ssize_t>(text.size()) + 1;
    if (text.starts_with("trusted.overlay.")) {
      continue;
    }
    const ssize_t length = ::fgetxattr(source, name, value.data(), value.size());
    if (length >= 0) {
      ::fsetxattr(target, name, value.data(), static_cast<std::size_t>(length), 0);
    }
  }
}

/// Owner first: it clears set-id bits and capabilities. Times last.
Result<void> copyMetadata(int source, const struct stat& from, int target,
                          const std::string& name) {
  if (::fchown(target, from.st_uid, from.st_gid) != 0 ||
      ::fchmod(target, from.st_mode & 07777U) != 0) {
    return sysError("set owner and mode of " + name, errno);
  }
  copyAttributes(source, target);
  const timespec times[] = {from.st_atim, from.st_mtim};
  if (::futimens(target, times) != 0) {
    return sysError("set times of " + name, errno);
  }
  return {};
}

class TreeCopier {
 public:
  explicit TreeCopier(int root) : root_(root) {}

  Result<void> copyDirectory(int source, int target, const std::string& path, int depth) {
    if (depth > kMaxDepth) {
      return Error{ErrorKind::Internal, "directories nested too deeply: " + path, ELOOP};
    }
    FLO_TRY_ASSIGN(const auto names, namesIn(source));
    for (const auto& name : names) {
      FLO_TRY(copyEntry(source, target, name, path.empty() ? name : path + "/" + name, depth));
    }
    struct stat from {};
    if (::fstat(source, &from) != 0) {
      return sysError("look at " + path, errno);
    }
    return copyMetadata(source, from, target, path);
  }

 private:
  Result<void> copyEntry(int source, int target, const std::string& name, const std::string& path,
                         int depth) {
    struct stat from {};
    if (::fstatat(source, name.c_str(), &from, AT_SYMLINK_NOFOLLOW) != 0) {
      return sysError("look at " + path, errno);
    }
    if (S_ISDIR(from.st_mode)) {
      return copySubdirectory(source, target, name, path, depth);
    }
    if (from.st_nlink > 1) {
      FLO_TRY_ASSIGN(const bool linked, linkEarlier(from, target, name, path));
      if (linked) {
        return {};
      }
    }
    if (S_ISREG(from.st_mode)) {
      FLO_TRY(copyFile(source, target, name, path));
    } else if (S_ISLNK(from.st_mode)) {
      FLO_TRY(copyLink(source, target, from, name, path));
    } else if (!S_ISSOCK(from.st_mode)) {
      FLO_TRY(copyNode(target, from, name, path));
    }
    return {};
  }

  static Result<UniqueFd> openIn(int directory, const std::string& name, int flags,
                                 const std::string& path) {
    UniqueFd fd(::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) {
      return sysError("open " + path, errno);
    }
    return fd;
  }

  Result<void> copySubdirectory(int source, int target, const std::string& name,
                                const std::string& path, int depth) {
    if (::mkdirat(target, name.c_str(), 0700) != 0) {
      return sysError("make directory " + path, errno);
    }
    FLO_TRY_ASSIGN(const auto from, openIn(source, name, kOpenDirectory, path));
    FLO_TRY_ASSIGN(const auto to, openIn(target, name, kOpenDirectory, path));
    return copyDirectory(from.get(), to.get(), path, depth + 1);
  }

  Result<void> copyFile(int source, int target, const std::string& name, const std::string& path) {
    // Non-blocking: should the entry have become a FIFO, opening must not wait for a writer.
    FLO_TRY_ASSIGN(const auto from, openIn(source, name, O_RDONLY | O_NONBLOCK, path));
    FLO_TRY_ASSIGN(const auto to, openIn(target, name, O_WRONLY | O_CREAT | O_EXCL, path));
    struct stat now {};
    if (::fstat(from.get(), &now) != 0 || !S_ISREG(now.st_mode)) {
      return Error{ErrorKind::Internal, path + " changed while it was copied"};
    }
    FLO_TRY(copyBytes(from.get(), to.get(), path));
    FLO_TRY(copyMetadata(from.get(), now, to.get(), path));
    return remember(now, to.get(), path);
  }

  static Result<void> copyLink(int source, int target, const struct stat& from,
                               const std::string& name, const std::string& path) {
    std::array<char, 4097> text{};
    if (::readlinkat(source, name.c_str(), text.data(), text.size() - 1) < 0 ||
        ::symlinkat(text.data(), target, name.c_str()) != 0) {
      return sysError("copy link " + path, errno);
    }
    return setMetadataAt(target, from, name, path);
  }

  static Result<void> copyNode(int target, const struct stat& from, const std::string& name,
                               const std::string& path) {
    if (::mknodat(target, name.c_str(), from.st_mode, from.st_rdev) != 0) {
      return sysError("make node " + path, errno);
    }
    FLO_TRY(setMetadataAt(target, from, name, path));
    if (::fchmodat(target, name.c_str(), from.st_mode & 07777U, 0) != 0) {
      return sysError("set mode of " + path, errno);
    }
    return {};
  }

  static Result<void> setMetadataAt(int target, const struct stat& from, const std::string& name,
                                    const std::string& path) {
    const timespec times[] = {from.st_atim, from.st_mtim};
    if (::fchownat(target, name.c_str(), from.st_uid, from.st_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
        ::utimensat(target, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
      return sysError("set owner and times of " + path, errno);
    }
    return {};
  }

  using Inode = std::pair<dev_t, ino_t>;
  struct Copied {
    std::string path;  // from the target's root
    Inode inode;       // of the copy
  };

  Result<void> remember(const struct stat& from, int copy, const std::string& path) {
    if (from.st_nlink > 1) {
      struct stat made {};
      if (::fstat(copy, &made) != 0) {
        return sysError("look at " + path, errno);
      }
      copied_[{from.st_dev, from.st_ino}] = {path, {made.st_dev, made.st_ino}};
    }
    return {};
  }

  /// Makes a hard link to the first copy of the same file. The copy is found again without passing
  /// any link and must be the very file that was made: a container that runs with the volume might
  /// have put a link to something of the host's in its place.
  Result<bool> linkEarlier(const struct stat& from, int target, const std::string& name,
                           const std::string& path) {
    const auto first = copied_.find({from.st_dev, from.st_ino});
    if (first == copied_.end()) {
      return false;
    }
    open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const UniqueFd file(static_cast<int>(
        ::syscall(SYS_openat2, root_, first->second.path.c_str(), &how, sizeof how)));
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0 ||
        Inode{found.st_dev, found.st_ino} != first->second.inode) {
      return Error{ErrorKind::Internal, first->second.path + " changed while it was copied"};
    }
    if (::linkat(file.get(), "", target, name.c_str(), AT_EMPTY_PATH) != 0) {
      return sysError("link " + path, errno);
    }
    return true;
  }

  const int root_;
  std::map<Inode, Copied> copied_;
};

Result<void> clearEntry(int directory, const std::string& name, int depth);

Result<void> clearDirectory(int directory, int depth) {
  if (depth > kMaxDepth) {
    return Error{ErrorKind::Internal, "directories nested too deeply", ELOOP};
  }
  FLO_TRY_ASSIGN(const auto names, namesIn(directory));
  for (const auto& name : names) {
    FLO_TRY(clearEntry(directory, name, depth));
  }
  return {};
}

Result<void> clearEntry(int directory, const std::string& name, int depth) {
  if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) {
    return {};
  }
  if (errno != EISDIR) {
    return sysError("remove " + name, errno);
  }
  {
    const UniqueFd inner(::openat(directory, name.c_str(), kOpenDirectory));
    if (!inner) {
      return sysError("open " + name, errno);
    }
    FLO_TRY(clearDirectory(inner.get(), depth + 1));
  }
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0) {
    return sysError("remove " + name, errno);
  }
  return {};
}

}  // namespace

Result<void> copyTree(int source, int target) {
  return TreeCopier(target).copyDirectory(source, target, "", 0);
}

Result<void> clearTree(int directory) { return clearDirectory(directory, 0); }

}  // namespace flotilla::engine
