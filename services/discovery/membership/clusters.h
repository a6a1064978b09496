#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::discovery {

/// Who is in which cluster: entries ("host:port") by cluster token, each until its lifetime ends.
/// Kept in one file, so that a restart loses nobody: a new cluster is on disk before its token is
/// told, announcements, which their hosts repeat, a little later. One thread.
class Clusters {
 public:
  struct Options {
    std::string file;
    std::size_t max_clusters = 10'000;
    std::size_t max_entries = 4096;  // of one cluster
    std::chrono::seconds longest_ttl{7 * 24 * 3600};
    std::chrono::hours unused_life{30 * 24};  // of a cluster without entries
    std::function<std::int64_t()> now;        // seconds since the epoch
  };

  /// Reads the file; none is an empty beginning. Errors: Internal, InvalidArgument (not ours).
  static Result<Clusters> open(Options options);

  /// A new cluster's token. Errors: Unavailable (too many), Internal (the disk).
  Result<std::string> create();
  /// Errors: NotFound, InvalidArgument (entry or ttl), Unavailable (too many entries).
  Result<void> announce(const std::string& token, const std::string& entry,
                        std::chrono::seconds ttl);
  /// In the order of their first announcement. Errors: NotFound.
  Result<std::vector<std::string>> list(const std::string& token);
  /// Errors: NotFound, Internal (the disk).
  Result<void> remove(const std::string& token);

  /// Forgets what has expired and writes what has changed. Every second or so, and at the end.
  Result<void> keep();

  [[nodiscard]] std::size_t clusters() const { return clusters_.size(); }
  [[nodiscard]] std::size_t entries() const;

 private:
  struct Entry {
    std::string address;
    std::int64_t expires = 0;
  };
  struct Cluster {
    std::int64_t used = 0;  // when it last had a request that changed it
    std::vector<Entry> entries;
  };

  explicit Clusters(Options options) : options_(std::move(options)) {}
  Result<void> load(std::string_view text);
  Result<void> save(bool now);
  Result<Cluster*> find(const std::string& token);
  void forgetExpired(Cluster& cluster);

  Options options_;
  std::map<std::string, Cluster> clusters_;
  bool changed_ = false;
};

}  // namespace flotilla::discovery
