#include "engine/lifecycle/image_content.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

UniqueFd openInside(int root, const std::string& path) {
  struct open_how how {};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

int configure(int context, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, 0));
}

/// The layers merged, mounted nowhere.
Result<UniqueFd> mergedRoot(const std::vector<std::string>& directories) {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!context) {
    return sysError("open an overlay", errno);
  }
  std::string lower;
  for (const std::string& directory : directories) {
    lower += (lower.empty() ? "" : ":") + directory;
  }
  if (configure(context.get(), FSCONFIG_SET_STRING, "lowerdir", lower.c_str()) != 0 ||
      configure(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) {
    return sysError("merge the image's layers", errno);
  }
  UniqueFd mount(
      static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY)));
  if (!mount) {
    return sysError("mount the image's layers", errno);
  }
  return mount;
}

}  // namespace

Result<void> copyImageContent(ImageSource& images, const std::vector<std::string>& chain_ids,
                              const std::string& path,
                              const std::function<Result<void>(int)>& use) {
  FLO_TRY_ASSIGN(const auto links, images.lowerDirs(chain_ids));
  std::vector<std::string> directories;
  for (const std::string& link : links) {
    directories.push_back(images.linkDir() + "/" + link);
  }
  if (directories.empty()) {
    return {};
  }
  UniqueFd root;
  if (directories.size() == 1) {
    root.reset(::open(directories[0].c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  } else {
    FLO_TRY_ASSIGN(root, mergedRoot(directories));
  }
  if (!root) {
    return sysError("open " + directories[0], errno);
  }
  const UniqueFd source = openInside(root.get(), path);
  return source ? use(source.get()) : Result<void>{};
}

}  // namespace flotilla::engine
