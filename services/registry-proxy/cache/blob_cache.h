#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/digest/digest.h"
#include "common/error/result.h"
#include "common/metrics/metrics.h"
#include "common/os/mutex.h"
#include "registry-proxy/cache/blob.h"

namespace flotilla::registry {

/// Blobs on disk by digest, the least recently used of them removed when they exceed the budget.
/// What is on its way is shared by all who ask for it. Below the folder: blobs/<algorithm>/<hex>
/// whole ones, partial/<algorithm>-<hex> beginnings that a later fetch goes on with. One process a
/// folder. Thread-safe.
class BlobCache {
 public:
  struct Options {
    std::string folder = ".";
    std::uint64_t budget = 0;  // bytes; 0: nothing is kept once it is whole
  };

  /// Makes the folders, finds what is there. Errors: Internal.
  static Result<std::unique_ptr<BlobCache>> open(Options options, Metrics& metrics);

  struct Lookup {
    std::shared_ptr<Blob> blob;
    bool fetch = false;  // nobody has it: whoever asked must fetch it now
  };
  /// The blob, whole or on its way. With `fetch` the file may hold a beginning already. The last
  /// reference to a blob may go at any time. Errors: Internal.
  Result<Lookup> acquire(const Digest& digest);

  /// Ends the fetch of a blob that is whole and right: keeps it, if the budget allows.
  void keep(const Digest& digest, std::uint64_t size);
  /// Ends a fetch that failed. A beginning that is wrong goes, others wait for the next try.
  enum class Beginning { Wait, Remove };
  void giveUp(const Digest& digest, Beginning beginning);

  /// A small document as a blob. Failing to keep it is no failure.
  void put(const Digest& digest, std::string_view bytes);

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::list<std::string>::iterator use;  // in by_use_
  };

  BlobCache(Options options, Metrics& metrics);
  Result<void> load();
  void removeOldBeginnings() const;
  void add(const std::string& name, std::uint64_t size) FLO_REQUIRES(mutex_);
  void evict() FLO_REQUIRES(mutex_);
  std::shared_ptr<Blob> openWhole(const Digest& digest) FLO_REQUIRES(mutex_);

  [[nodiscard]] std::string blobPath(const std::string& name) const {
    return options_.folder + "/blobs/" + name;
  }
  [[nodiscard]] std::string partialPath(const Digest& digest) const;
  [[nodiscard]] static std::string nameOf(const Digest& digest);

  const Options options_;
  prometheus::Gauge& bytes_;
  prometheus::Counter& evicted_;
  Mutex mutex_;
  std::map<std::string, Entry> entries_ FLO_GUARDED_BY(mutex_);
  std::list<std::string> by_use_ FLO_GUARDED_BY(mutex_);  // least recently used first
  std::uint64_t total_ FLO_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::shared_ptr<Blob>> on_their_way_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
