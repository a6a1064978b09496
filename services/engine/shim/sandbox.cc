#include "engine/shim/sandbox.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace flotilla::engine::shim {
namespace {

constexpr const char* kHybrid = "/sys/fs/cgroup/unified";

Result<void> hideUnified() {
  struct statfs status {};
  if (::statfs(kHybrid, &status) != 0 || status.f_type != CGROUP2_SUPER_MAGIC) {
    return {};
  }
  if (::mount("", "/sys", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return sysError("hide the unified cgroup hierarchy", errno);
  }
  // Covered, not unmounted: the kernel waits for every CPU at an unmount, and the runtime makes
  // directories here, which would land in the host's tmpfs below.
  if (::mount("tmpfs", kHybrid, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") !=
      0) {
    return sysError("cover the unified cgroup hierarchy", errno);
  }
  return {};
}

/// The input of an exec without one is the host's own device. crun gives it to the exec's user, and
/// a container could change its mode for everybody: on a read-only mount neither succeeds, while
/// reading and writing a device does.
Result<void> guardNull() {
  constexpr const char* kNull = "/dev/null";
  constexpr unsigned long kFlags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC;
  if (::mount(kNull, kNull, nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, kNull, nullptr, kFlags, nullptr) != 0) {
    return sysError("make /dev/null read-only", errno);
  }
  return {};
}

Result<void> makeMountPoint(const std::string& path, bool directory) {
  if (directory) {
    return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST
               ? Result<void>{}
               : Result<void>{sysError("mkdir " + path, errno)};
  }
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return fd ? Result<void>{} : Result<void>{sysError("create " + path, errno)};
}

}  // namespace

std::vector<UniqueFd> cloneBinds(const LaunchSpec& spec, std::vector<UniqueFd> passed) {
  std::vector<UniqueFd> trees;
  for (std::size_t i = 0; i < passed.size(); ++i) {
    constexpr unsigned kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    UniqueFd clone;
    if (i < spec.binds.size() && !spec.binds[i].shared) {
      clone.reset(::open_tree(passed[i].get(), "", kFlags));
    }
    trees.push_back(clone ? std::move(clone) : std::move(passed[i]));
  }
  return trees;
}

Result<void> enterMountNamespace() {
  if (::unshare(CLONE_NEWNS) != 0) {
    return sysError("unshare mount namespace", errno);
  }
  if (::mount("", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return sysError("make mounts slaves of the host's", errno);
  }
  FLO_TRY(guardNull());
  return hideUnified();
}

Result<void> placeBinds(const LaunchSpec& spec, const std::vector<UniqueFd>& trees) {
  if (!trees.empty() && ::mkdir("binds", 0700) != 0 && errno != EEXIST) {
    return sysError("mkdir binds", errno);
  }
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const BindMount& bind = spec.binds[i];
    const std::string target = "binds/" + std::to_string(i);
    FLO_TRY(makeMountPoint(target, bind.is_directory));
    if (!bind.shared) {
      mount_attr attributes{};
      attributes.propagation = MS_SLAVE;
      if (::mount_setattr(trees[i].get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                          sizeof(attributes)) != 0) {
        return sysError("make " + bind.source + " a slave mount", errno);
      }
    }
    if (::move_mount(trees[i].get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      return sysError("mount " + bind.source, errno);
    }
  }
  return {};
}

Result<void> mountRoot(const OverlayConfig& overlay) {
  if (overlay.merged.empty()) {
    return {};
  }
  const UniqueFd here(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!overlay.link_dir.empty() && ::chdir(overlay.link_dir.c_str()) != 0) {
    return sysError("chdir " + overlay.link_dir, errno);
  }
  std::string options = "lowerdir=";
  for (const std::string& name : overlay.lower) {
    options += (options.back() == '=' ? "" : ":") + name;
  }
  options += ",upperdir=" + overlay.upper + ",workdir=" + overlay.work;
  int mounted =
      ::mount("overlay", overlay.merged.c_str(), "overlay", 0, (options + ",index=off").c_str());
  if (mounted != 0 && errno == EINVAL) {
    mounted = ::mount("overlay", overlay.merged.c_str(), "overlay", 0, options.c_str());
  }
  const int err = errno;
  if (::fchdir(here.get()) != 0) {
    return sysError("return to the run directory", errno);
  }
  return mounted == 0 ? Result<void>{} : Result<void>{sysError("mount root file system", err)};
}

void unmountRoot(const OverlayConfig& overlay) {
  if (!overlay.merged.empty()) {
    ::umount2(overlay.merged.c_str(), MNT_DETACH);
  }
}

}  // namespace flotilla::engine::shim
