#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/store/paths.h"

namespace flotilla::engine {

/// A directory below <root>/tmp for things half made; removed with the object. A workspace whose
/// process died is recognised by its free lock and removed by the next sweep.
class Workspace {
 public:
  static Result<std::unique_ptr<Workspace>> create(const Paths& paths);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// A path inside that nobody uses yet. Thread-safe.
  [[nodiscard]] std::string newPath(const char* kind) {
    return path_ + "/" + kind + std::to_string(++count_);
  }

 private:
  Workspace(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
  std::atomic<int> count_ = 0;
};

/// Image content on disk: blobs by digest, layers by chain ID with short links to them
/// (store/paths.h). Knows nothing of records. Thread-safe.
///
/// Whoever makes files known to the records holds lockShared() from the first adopt until the
/// commit; whoever removes files or sweeps holds lockExclusive() from the records' change on. So
/// nothing is removed between "it is already there" and "it is used".
class ImageFiles {
 public:
  explicit ImageFiles(const Paths& paths) : paths_(paths) {}

  /// Makes the directories. Errors: Internal.
  Result<void> prepare();

  /// Errors: Unavailable when not free within 30 s.
  Result<UniqueFd> lockShared() const;
  Result<UniqueFd> lockExclusive() const;

  /// Writes everything of the workspace's file system to disk; before adopting from it.
  Result<void> flush(const Workspace& workspace) const;
  /// Moves a file or an unpacked tree (a directory that holds "fs") in; one that exists is kept.
  Result<void> adoptBlob(const std::string& file, const std::string& hex) const;
  Result<void> adoptLayer(const std::string& directory, const std::string& chain_hex) const;
  /// Makes the adopted names durable.
  Result<void> flushNames() const;

  [[nodiscard]] std::string blobPath(const std::string& hex) const {
    return paths_.blobs() + "/" + hex;
  }
  [[nodiscard]] std::string layerPath(const std::string& chain_hex) const {
    return paths_.layers() + "/" + chain_hex;
  }
  [[nodiscard]] static std::string shortName(const std::string& chain_hex) {
    return chain_hex.substr(0, 20);
  }
  [[nodiscard]] const Paths& paths() const { return paths_; }

  Result<void> removeBlob(const std::string& hex) const;
  /// Moves the layer out of sight at once; its files go with `workspace`.
  Result<void> removeLayer(const std::string& chain_hex, Workspace& workspace) const;

  /// Removes what no record knows and dead processes left. Under lockExclusive().
  Result<void> sweep(const std::set<std::string>& blob_hexes,
                     const std::set<std::string>& chain_hexes) const;

 private:
  Result<UniqueFd> lock(int operation) const;
  Paths paths_;
};

}  // namespace flotilla::engine
