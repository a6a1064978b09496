#include "registry-proxy/cache/blob_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "common/os/atomic_file.h"

namespace flotilla::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kBeginningsLive{24};

Result<void> makeFolder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) {
    return sysError("make " + path, failed.value());
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::open(Options options, Metrics& metrics) {
  auto cache = std::unique_ptr<BlobCache>(new BlobCache(std::move(options), metrics));
  FLO_TRY(cache->load());
  return cache;
}

BlobCache::BlobCache(Options options, Metrics& metrics)
    : options_(std::move(options)),
      bytes_(metrics.gauge("flotilla_registry_cache_bytes", "Bytes of whole blobs on disk.")),
      evicted_(metrics.counter("flotilla_registry_evicted_bytes_total",
                               "Bytes removed to stay within the budget.")) {}

std::string BlobCache::nameOf(const Digest& digest) {
  return std::string(digest.algorithmName()) + "/" + digest.hex();
}

std::string BlobCache::partialPath(const Digest& digest) const {
  return options_.folder + "/partial/" + std::string(digest.algorithmName()) + "-" + digest.hex();
}

Result<void> BlobCache::load() {
  FLO_TRY(makeFolder(options_.folder + "/partial"));
  removeOldBeginnings();
  std::vector<std::tuple<fs::file_time_type, std::string, std::uint64_t>> found;
  for (const char* algorithm : {"sha256", "sha512"}) {
    const std::string folder = options_.folder + "/blobs/" + algorithm;
    FLO_TRY(makeFolder(folder));
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      std::error_code ignored;
      const std::string hex = it->path().filename().string();
      if (!Digest::isDigest(std::string(algorithm) + ":" + hex)) {
        fs::remove(it->path(), ignored);  // a temporary file of a process that died
        continue;
      }
      found.emplace_back(it->last_write_time(ignored), std::string(algorithm) + "/" + hex,
                         it->file_size(ignored));
    }
  }
  std::sort(found.begin(), found.end());
  MutexLock lock(mutex_);
  for (const auto& [time, name, size] : found) {
    add(name, size);
  }
  evict();
  return {};
}

void BlobCache::removeOldBeginnings() const {
  const auto now = fs::file_time_type::clock::now();
  std::error_code failed;
  for (fs::directory_iterator it(options_.folder + "/partial", failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code ignored;
    if (now - it->last_write_time(ignored) > kBeginningsLive) {
      fs::remove(it->path(), ignored);
    }
  }
}

void BlobCache::add(const std::string& name, std::uint64_t size) {
  if (const auto old = entries_.find(name); old != entries_.end()) {
    return;
  }
  by_use_.push_back(name);
  entries_[name] = Entry{size, std::prev(by_use_.end())};
  total_ += size;
  bytes_.Set(static_cast<double>(total_));
}

/// Open files of removed blobs stay readable for who has them.
void BlobCache::evict() {
  while (total_ > options_.budget && !by_use_.empty()) {
    const auto entry = entries_.find(by_use_.front());
    (void)::unlink(blobPath(entry->first).c_str());
    total_ -= entry->second.size;
    evicted_.Increment(static_cast<double>(entry->second.size));
    entries_.erase(entry);
    by_use_.pop_front();
  }
  bytes_.Set(static_cast<double>(total_));
}

std::shared_ptr<Blob> BlobCache::openWhole(const Digest& digest) {
  const std::string name = nameOf(digest);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) {
    return nullptr;
  }
  UniqueFd fd(::open(blobPath(name).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 ||
      static_cast<std::uint64_t>(info.st_size) != entry->second.size) {
    log::warning("a cached blob is gone or has another size", {{"digest", digest.text()}});
    (void)::unlink(blobPath(name).c_str());
    total_ -= entry->second.size;
    by_use_.erase(entry->second.use);
    entries_.erase(entry);
    return nullptr;
  }
  by_use_.splice(by_use_.end(), by_use_, entry->second.use);
  (void)::futimens(fd.get(), nullptr);  // the order of use survives a restart
  return std::make_shared<Blob>(std::move(fd), entry->second.size);
}

Result<BlobCache::Lookup> BlobCache::acquire(const Digest& digest) {
  const std::string name = nameOf(digest);
  MutexLock lock(mutex_);
  if (const auto running = on_their_way_.find(name); running != on_their_way_.end()) {
    return Lookup{running->second, false};
  }
  if (auto whole = openWhole(digest)) {
    return Lookup{std::move(whole), false};
  }
  const std::string path = partialPath(digest);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  auto blob = std::make_shared<Blob>(std::move(fd));
  on_their_way_[name] = blob;
  return Lookup{std::move(blob), true};
}

void BlobCache::keep(const Digest& digest, std::uint64_t size) {
  const std::string name = nameOf(digest);
  const std::string path = partialPath(digest);
  MutexLock lock(mutex_);
  const auto running = on_their_way_.find(name);
  if (size > options_.budget || running == on_their_way_.end()) {
    (void)::unlink(path.c_str());
  } else if (::fdatasync(running->second->fd()) == 0 &&
             ::rename(path.c_str(), blobPath(name).c_str()) == 0) {
    add(name, size);
    evict();
  } else {
    log::warning("a blob could not be kept",
                 {{"error", sysError("keep " + path, errno).message()}});
  }
  on_their_way_.erase(name);
}

void BlobCache::giveUp(const Digest& digest, Beginning beginning) {
  MutexLock lock(mutex_);
  if (beginning == Beginning::Remove) {
    (void)::unlink(partialPath(digest).c_str());
  }
  on_their_way_.erase(nameOf(digest));
}

void BlobCache::put(const Digest& digest, std::string_view bytes) {
  const std::string name = nameOf(digest);
  MutexLock lock(mutex_);
  if (bytes.size() > options_.budget || entries_.contains(name)) {
    return;
  }
  if (writeFileAtomically(blobPath(name), bytes, 0600)) {
    add(name, bytes.size());
    evict();
  }
}

}  // namespace flotilla::registry
