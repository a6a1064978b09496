#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "common/event/thread_pool.h"
#include "common/metrics/metrics.h"
#include "registry-proxy/cache/blob_cache.h"
#include "registry-proxy/upstream/upstreams.h"

namespace flotilla::registry {

/// Brings blobs from upstream into the cache, each by one thread of a pool, going on where an
/// exchange broke. Thread-safe.
class BlobFetcher {
 public:
  struct Options {
    int attempts = 6;  // without a new byte
    std::chrono::milliseconds first_pause{500};
  };

  BlobFetcher(Upstreams& upstreams, BlobCache& cache, ThreadPool& pool, Options options,
              Metrics& metrics);

  /// Starts what BlobCache::acquire said must be fetched. `call` names the blob and who asks.
  void start(const Digest& digest, std::shared_ptr<Blob> blob, UpstreamCall call);
  /// Running fetches give up at their next piece. For the way down.
  void stop() { stopping_ = true; }

 private:
  class Fetch;

  Upstreams& upstreams_;
  BlobCache& cache_;
  ThreadPool& pool_;
  const Options options_;
  prometheus::Counter& bytes_;
  prometheus::Gauge& running_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace flotilla::registry
