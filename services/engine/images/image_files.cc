#include "engine/images/image_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/os/file_lock.h"
#include "engine/images/unpack/remove_tree.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWorkspacePrefix = "images-";
constexpr std::chrono::seconds kLockDeadline{30};

Result<void> makeDirectory(const std::string& path, mode_t mode) {
  std::error_code code;
  fs::create_directories(fs::path(path).parent_path(), code);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return sysError("make " + path, errno);
  }
  return {};
}

Result<UniqueFd> openDirectory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  return fd;
}

Result<void> flushDirectory(const std::string& path) {
  FLO_TRY_ASSIGN(const UniqueFd fd, openDirectory(path));
  if (::fsync(fd.get()) != 0) {
    return sysError("flush " + path, errno);
  }
  return {};
}

Result<void> removeIn(const std::string& directory, const std::string& name) {
  FLO_TRY_ASSIGN(const UniqueFd fd, openDirectory(directory));
  FLO_TRY(removeTree(fd.get(), name));
  return {};
}

Result<std::vector<std::string>> namesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    names.push_back(it->path().filename().string());
  }
  if (code) {
    return sysError("list " + directory, code.value());
  }
  return names;
}

/// Links and layers of one chain go together; a link whose layer is gone goes too.
Result<void> sweepLinks(const Paths& paths, const std::set<std::string>& chain_hexes) {
  std::set<std::string> wanted;
  for (const std::string& hex : chain_hexes) {
    wanted.insert(ImageFiles::shortName(hex));
  }
  FLO_TRY_ASSIGN(const auto links, namesIn(paths.links()));
  for (const std::string& name : links) {
    if (!wanted.contains(name)) {
      FLO_TRY(removeIn(paths.links(), name));
    }
  }
  return {};
}

Result<void> sweepUnknown(const std::string& directory, const std::set<std::string>& known) {
  FLO_TRY_ASSIGN(const auto names, namesIn(directory));
  for (const std::string& name : names) {
    if (!known.contains(name)) {
      FLO_TRY(removeIn(directory, name));
    }
  }
  return {};
}

Result<void> sweepWorkspaces(const std::string& tmp) {
  FLO_TRY_ASSIGN(const auto names, namesIn(tmp));
  for (const std::string& name : names) {
    if (!name.starts_with(kWorkspacePrefix)) {
      continue;
    }
    UniqueFd lock(::open((tmp + "/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
      FLO_TRY(removeIn(tmp, name));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Workspace>> Workspace::create(const Paths& paths) {
  std::string path = paths.tmp() + "/" + std::string(kWorkspacePrefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return sysError("make a directory in " + paths.tmp(), errno);
  }
  FLO_TRY_ASSIGN(UniqueFd lock, openDirectory(path));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return sysError("lock " + path, errno);
  }
  return std::unique_ptr<Workspace>(new Workspace(std::move(path), std::move(lock)));
}

Workspace::~Workspace() {
  const fs::path path(path_);
  (void)removeIn(path.parent_path().string(),
                 path.filename().string());  // the next sweep tries again
}

Result<void> ImageFiles::prepare() {
  FLO_TRY(makeDirectory(paths_.blobs(), 0700));
  FLO_TRY(makeDirectory(paths_.layers(), 0700));  // layers hold setuid programs and devices
  FLO_TRY(makeDirectory(paths_.links(), 0700));
  return makeDirectory(paths_.tmp(), 0700);
}

Result<UniqueFd> ImageFiles::lock(int operation) const {
  const std::string path = paths_.root() + "/images.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  auto locked = lockFile(fd.get(), operation, std::chrono::steady_clock::now() + kLockDeadline);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::Unavailable, "image store is busy: " + path + " stays locked"};
  }
  FLO_TRY(std::move(locked));
  return fd;
}

Result<UniqueFd> ImageFiles::lockShared() const { return lock(LOCK_SH); }
Result<UniqueFd> ImageFiles::lockExclusive() const { return lock(LOCK_EX); }

Result<void> ImageFiles::flush(const Workspace& workspace) const {
  FLO_TRY_ASSIGN(const UniqueFd fd, openDirectory(workspace.path()));
  if (::syncfs(fd.get()) != 0) {
    return sysError("flush " + workspace.path(), errno);
  }
  return {};
}

Result<void> ImageFiles::adoptBlob(const std::string& file, const std::string& hex) const {
  if (::rename(file.c_str(), blobPath(hex).c_str()) != 0) {
    return sysError("keep blob " + hex, errno);
  }
  return {};
}

Result<void> ImageFiles::adoptLayer(const std::string& directory,
                                    const std::string& chain_hex) const {
  if (::rename(directory.c_str(), layerPath(chain_hex).c_str()) != 0 && errno != EEXIST &&
      errno != ENOTEMPTY) {
    return sysError("keep layer " + chain_hex, errno);
  }
  const std::string link = paths_.links() + "/" + shortName(chain_hex);
  const std::string target = "../layers/" + chain_hex + "/fs";
  if (::symlink(target.c_str(), link.c_str()) != 0 && errno != EEXIST) {
    return sysError("link layer " + chain_hex, errno);
  }
  std::array<char, 512> found{};
  const ssize_t length = ::readlink(link.c_str(), found.data(), found.size());
  if (length < 0 || std::string_view(found.data(), static_cast<std::size_t>(length)) != target) {
    return Error{ErrorKind::Internal, "two layers share the short name " + shortName(chain_hex)};
  }
  return {};
}

Result<void> ImageFiles::flushNames() const {
  FLO_TRY(flushDirectory(paths_.blobs()));
  FLO_TRY(flushDirectory(paths_.layers()));
  return flushDirectory(paths_.links());
}

Result<void> ImageFiles::removeBlob(const std::string& hex) const {
  if (::unlink(blobPath(hex).c_str()) != 0 && errno != ENOENT) {
    return sysError("remove blob " + hex, errno);
  }
  return {};
}

Result<void> ImageFiles::removeLayer(const std::string& chain_hex, Workspace& workspace) const {
  (void)::unlink((paths_.links() + "/" + shortName(chain_hex)).c_str());
  if (::rename(layerPath(chain_hex).c_str(), workspace.newPath("removed").c_str()) != 0 &&
      errno != ENOENT) {
    return sysError("remove layer " + chain_hex, errno);
  }
  return {};
}

Result<void> ImageFiles::sweep(const std::set<std::string>& blob_hexes,
                               const std::set<std::string>& chain_hexes) const {
  FLO_TRY(sweepWorkspaces(paths_.tmp()));
  FLO_TRY(sweepUnknown(paths_.blobs(), blob_hexes));
  FLO_TRY(sweepUnknown(paths_.layers(), chain_hexes));
  return sweepLinks(paths_, chain_hexes);
}

}  // namespace flotilla::engine
