#include "engine/images/unpack/tree_writer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "engine/images/unpack/remove_tree.h"

namespace flotilla::engine::unpack {
namespace {

constexpr const char* kOpaqueXattr = "trusted.overlay.opaque";
constexpr std::string_view kOverlayPrefix = "trusted.overlay.";

/// Opens below `root` without ever leaving it, whatever symbolic links say.
int openBeneath(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

/// EXDEV, ELOOP and their like are the archive's doing, the rest (ENOSPC, EIO) this host's.
Error entryError(const std::string& name, int err) {
  switch (err) {
    case EXDEV:
      return Error{ErrorKind::InvalidArgument, name + ": path escapes from parent", err};
    case ELOOP:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EISDIR:
    case EINVAL:
    case ENOENT:
    case EEXIST:
    case EMLINK:
      return Error{ErrorKind::InvalidArgument, sysError(name, err).message(), err};
    default:
      return sysError(name, err);
  }
}

bool isWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

/// Attributes that overlayfs would act on come from this program alone; those that the file system
/// cannot keep are left out, as Docker does.
Result<void> setXattrs(int fd, const Entry& entry) {
  for (const auto& [key, value] : entry.xattrs) {
    if (key.starts_with(kOverlayPrefix)) {
      continue;
    }
    if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) != 0 && errno != ENOTSUP &&
        errno != EPERM) {
      return entryError(entry.name + ": set " + key, errno);
    }
  }
  return {};
}

std::array<timespec, 2> times(const Entry& entry) { return {entry.mtime, entry.mtime}; }

Result<void> setAttributes(int dir, const std::string& name, const Entry& entry) {
  if (::fchownat(dir, name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return entryError(entry.name + ": chown", errno);
  }
  // chown clears setuid and setgid, so the mode comes after it.
  if (entry.type != EntryType::Symlink && ::fchmodat(dir, name.c_str(), entry.mode, 0) != 0) {
    return entryError(entry.name + ": chmod", errno);
  }
  if (::utimensat(dir, name.c_str(), times(entry).data(), AT_SYMLINK_NOFOLLOW) != 0) {
    return entryError(entry.name + ": set times", errno);
  }
  return {};
}

}  // namespace

Result<void> TreeWriter::add(const Entry& entry, const ContentFn& content) {
  FLO_TRY_ASSIGN(const EntryPath path, parseEntryPath(entry.name));
  if (path.name.empty()) {
    return entry.type == EntryType::Directory
               ? makeDirectory(root_.get(), path, entry)
               : Error{ErrorKind::InvalidArgument, "invalid entry name \"" + entry.name + "\""};
  }
  FLO_TRY_ASSIGN(const WhiteoutPlan plan, planWhiteout(path.name));
  if (plan.kind == Whiteout::Ignore) {
    return {};
  }
  FLO_TRY_ASSIGN(const int dir, parent(path.parent));
  if (plan.kind != Whiteout::None) {
    return whiteout(dir, plan);
  }
  return create(dir, path, entry, content);
}

Result<int> TreeWriter::parent(const std::string& path) {
  if (path.empty()) {
    return root_.get();
  }
  if (!cached_parent_ || cache_stale_ || cached_path_ != path) {
    FLO_TRY_ASSIGN(const int fd, openParent(path));
    cache_stale_ = false;
    cached_parent_.reset(fd);
    cached_path_ = path;
  }
  return cached_parent_.get();
}

/// Parents that the archive does not list are made, as every tar does.
Result<int> TreeWriter::openParent(const std::string& path) {
  int fd = openBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY);
  if (fd >= 0) {
    return fd;
  }
  if (errno != ENOENT) {
    return entryError(path, errno);
  }
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  UniqueFd above;
  int above_fd = root_.get();
  if (slash != std::string::npos) {
    FLO_TRY_ASSIGN(const int opened, openParent(path.substr(0, slash)));
    above.reset(opened);
    above_fd = opened;
  }
  if (::mkdirat(above_fd, name.c_str(), 0755) != 0) {
    return entryError(path, errno);
  }
  fd = openBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY);
  return fd >= 0 ? Result<int>(fd) : Result<int>(entryError(path, errno));
}

Result<void> TreeWriter::whiteout(int dir, const WhiteoutPlan& plan) {
  if (plan.kind == Whiteout::Hide) {
    return hide(dir, plan.hidden);
  }
  if (::fsetxattr(dir, kOpaqueXattr, "y", 1, 0) != 0) {
    return sysError("mark a directory opaque", errno);
  }
  return {};
}

/// A whiteout hides what lower layers have; what this layer itself brings stays.
Result<void> TreeWriter::hide(int dir, const std::string& name) {
  if (::mknodat(dir, name.c_str(), S_IFCHR, 0) == 0) {
    return {};
  }
  if (errno != EEXIST) {
    return entryError(name, errno);
  }
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return entryError(name, errno);
  }
  if (!S_ISDIR(info.st_mode)) {
    return {};
  }
  UniqueFd own(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!own || ::fsetxattr(own.get(), kOpaqueXattr, "y", 1, 0) != 0) {
    return sysError("mark a directory opaque", errno);
  }
  return {};
}

/// Makes room for an entry; tells whether a whiteout had to go for it.
Result<bool> TreeWriter::clear(int dir, const std::string& name, EntryType wanted) {
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Result<bool>(false) : Result<bool>(entryError(name, errno));
  }
  if (S_ISDIR(info.st_mode) && wanted == EntryType::Directory) {
    return false;
  }
  cache_stale_ = true;  // the cached parent may be what goes now, or lie behind a link that goes
  FLO_TRY_ASSIGN(const std::uint64_t freed, removeTree(dir, name));
  size_ -= freed;
  return isWhiteout(info);
}

Result<void> TreeWriter::create(int dir, const EntryPath& path, const Entry& entry,
                                const ContentFn& content) {
  FLO_TRY_ASSIGN(const bool was_whiteout, clear(dir, path.name, entry.type));
  switch (entry.type) {
    case EntryType::Directory:
      FLO_TRY(makeDirectory(dir, path, entry));
      // The lower directory stays hidden although this layer has one of the same name.
      return was_whiteout ? hide(dir, path.name) : Result<void>{};
    case EntryType::File:
      return makeFile(dir, path, entry, content);
    case EntryType::Hardlink:
      return makeHardlink(dir, path, entry);
    case EntryType::Symlink:
      return makeSymlink(dir, path, entry);
    case EntryType::CharDevice:
    case EntryType::BlockDevice:
    case EntryType::Fifo:
      return makeNode(dir, path, entry);
  }
  return {};
}

Result<void> TreeWriter::makeDirectory(int dir, const EntryPath& path, const Entry& entry) {
  const std::string name = path.name.empty() ? "." : path.name;
  if (::mkdirat(dir, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return entryError(entry.name, errno);
  }
  UniqueFd own(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!own) {
    return entryError(entry.name, errno);
  }
  if (::fchown(own.get(), entry.uid, entry.gid) != 0 || ::fchmod(own.get(), entry.mode) != 0) {
    return entryError(entry.name, errno);
  }
  std::string full = path.parent;
  full += full.empty() ? name : "/" + name;
  directory_times_[full] = entry.mtime;
  return setXattrs(own.get(), entry);
}

Result<void> TreeWriter::makeFile(int dir, const EntryPath& path, const Entry& entry,
                                  const ContentFn& content) {
  UniqueFd file(
      ::openat(dir, path.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) {
    return entryError(entry.name, errno);
  }
  FLO_TRY(content(file.get()));
  if (::fchown(file.get(), entry.uid, entry.gid) != 0 || ::fchmod(file.get(), entry.mode) != 0) {
    return entryError(entry.name, errno);
  }
  FLO_TRY(setXattrs(file.get(), entry));  // after chown, which drops capabilities
  if (::futimens(file.get(), times(entry).data()) != 0) {
    return entryError(entry.name, errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return entryError(entry.name, errno);
  }
  size_ += static_cast<std::uint64_t>(info.st_size);
  return {};
}

Result<void> TreeWriter::makeHardlink(int dir, const EntryPath& path, const Entry& entry) {
  FLO_TRY_ASSIGN(const EntryPath target, parseLinkTarget(entry.link));
  UniqueFd opened;
  int target_dir = root_.get();
  if (!target.parent.empty()) {
    opened.reset(openBeneath(root_.get(), target.parent, O_PATH | O_DIRECTORY));
    if (!opened) {
      return entryError("linkat " + entry.link + " " + entry.name, errno);
    }
    target_dir = opened.get();
  }
  if (::linkat(target_dir, target.name.c_str(), dir, path.name.c_str(), 0) != 0) {
    return entryError("linkat " + entry.link + " " + entry.name, errno == EPERM ? EINVAL : errno);
  }
  return {};
}

Result<void> TreeWriter::makeNode(int dir, const EntryPath& path, const Entry& entry) {
  mode_t type = S_IFIFO;
  if (entry.type != EntryType::Fifo) {
    type = entry.type == EntryType::CharDevice ? S_IFCHR : S_IFBLK;
  }
  if (::mknodat(dir, path.name.c_str(), type | 0600, entry.device) != 0) {
    return entryError("mknod " + entry.name, errno);
  }
  return setAttributes(dir, path.name, entry);
}

Result<void> TreeWriter::makeSymlink(int dir, const EntryPath& path, const Entry& entry) {
  if (entry.link.size() >= PATH_MAX ||
      ::symlinkat(entry.link.c_str(), dir, path.name.c_str()) != 0) {
    return entryError("symlink " + entry.name,
                      entry.link.size() >= PATH_MAX ? ENAMETOOLONG : errno);
  }
  size_ += entry.link.size();
  return setAttributes(dir, path.name, entry);
}

Result<void> TreeWriter::finish() {
  for (const auto& [path, mtime] : directory_times_) {
    UniqueFd fd(openBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const std::array<timespec, 2> both = {mtime, mtime};
    if (fd && ::futimens(fd.get(), both.data()) != 0) {
      return sysError(path, errno);
    }
  }
  return {};
}

}  // namespace flotilla::engine::unpack
