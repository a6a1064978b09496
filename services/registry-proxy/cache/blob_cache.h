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

/// Blobs on disk by digest, and beginnings of blobs that a later fetch goes on with; the least
/// recently used of them are removed when they exceed the budget. What is on its way is shared by
/// all who ask for it, and not counted. Below the folder: blobs/<algorithm>/<hex> whole ones,
/// partial/<algorithm>-<hex> beginnings and what is on its way. One process a folder. Thread-safe.
class BlobCache {
 public:
  struct Options {
    std::string folder = ".";
    std::uint64_t budget = 0;  // bytes; 0: nothing is kept once it is whole
    /// Bytes of beginnings that stay even beyond the budget: a pull that broke off goes on.
    std::uint64_t spared = std::uint64_t{4} << 30U;
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

  /// Removes beginnings that nobody went on with for a day. Now and then.
  void removeOldBeginnings();

 private:
  struct Entry {
    std::uint64_t size = 0;
    bool beginning = false;
    std::list<std::string>::iterator use;  // in by_use_
  };
  using Entries = std::map<std::string, Entry>;

  BlobCache(Options options, Metrics& metrics);
  Result<void> load();
  void add(const std::string& name, std::uint64_t size) FLO_REQUIRES(mutex_);
  /// No longer counts it; the file stays.
  void drop(Entries::iterator entry) FLO_REQUIRES(mutex_);
  void evict() FLO_REQUIRES(mutex_);
  std::shared_ptr<Blob> openWhole(const Digest& digest) FLO_REQUIRES(mutex_);

  /// Entries are named by their path below the folder.
  [[nodiscard]] std::string pathOf(const std::string& name) const {
    return options_.folder + "/" + name;
  }

  const Options options_;
  prometheus::Gauge& bytes_;
  prometheus::Counter& evicted_;
  Mutex mutex_;
  Entries entries_ FLO_GUARDED_BY(mutex_);
  std::list<std::string> by_use_ FLO_GUARDED_BY(mutex_);  // least recently used first
  std::uint64_t total_ FLO_GUARDED_BY(mutex_) = 0;
  std::uint64_t beginnings_ FLO_GUARDED_BY(mutex_) = 0;  // of it
  std::map<std::string, std::shared_ptr<Blob>> on_their_way_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
