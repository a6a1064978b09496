#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/images/unpack/entry_path.h"

namespace flotilla::engine::unpack {

enum class EntryType { Directory, File, Symlink, Hardlink, CharDevice, BlockDevice, Fifo };

struct Entry {
  std::string name;  // as in the archive
  EntryType type = EntryType::File;
  std::string link;  // target of a symlink or hard link
  mode_t mode = 0;   // permission bits with setuid, setgid, sticky
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t device = 0;
  timespec mtime{};
  std::vector<std::pair<std::string, std::string>> xattrs;
};

/// Builds one layer's tree below a directory, as overlayfs wants its lower layers: whiteouts are
/// 0:0 character devices, opaque directories carry trusted.overlay.opaque. Never leaves the
/// directory: names are checked, and every parent is opened by the kernel with RESOLVE_BENEATH.
/// Needs root. One thread.
class TreeWriter {
 public:
  /// Writes a file's content to the descriptor.
  using ContentFn = std::function<Result<void>(int fd)>;

  explicit TreeWriter(UniqueFd root) : root_(std::move(root)) {}

  /// Errors: InvalidArgument when the archive is at fault, Internal when this host is.
  Result<void> add(const Entry& entry, const ContentFn& content);
  /// Sets what had to wait until all entries were there (times of directories).
  Result<void> finish();
  /// Bytes of files and symlinks, each inode once.
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  Result<int> parent(const std::string& path);
  Result<int> openParent(const std::string& path);
  Result<void> whiteout(int dir, const WhiteoutPlan& plan);
  Result<void> hide(int dir, const std::string& name);
  Result<bool> clear(int dir, const std::string& name, EntryType wanted);
  Result<void> create(int dir, const EntryPath& path, const Entry& entry, const ContentFn& content);
  Result<void> makeDirectory(int dir, const EntryPath& path, const Entry& entry);
  Result<void> makeFile(int dir, const EntryPath& path, const Entry& entry,
                        const ContentFn& content);
  Result<void> makeHardlink(int dir, const EntryPath& path, const Entry& entry);
  Result<void> makeNode(int dir, const EntryPath& path, const Entry& entry);
  Result<void> makeSymlink(int dir, const EntryPath& path, const Entry& entry);

  UniqueFd root_;
  std::string cached_path_;
  UniqueFd cached_parent_;
  bool cache_stale_ = false;
  std::uint64_t size_ = 0;
  std::map<std::string, timespec> directory_times_;
};

}  // namespace flotilla::engine::unpack
