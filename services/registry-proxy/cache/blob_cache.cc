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

std::string wholeName(const Digest& digest) {
  return "blobs/" + std::string(digest.algorithmName()) + "/" + digest.hex();
}

std::string partialName(const Digest& digest) {
  return "partial/" + std::string(digest.algorithmName()) + "-" + digest.hex();
}

bool isBeginning(const std::string& name) { return name.starts_with("partial/"); }

/// What is in a folder of the cache, oldest use first; what has no digest for a name is removed: a
/// temporary file of a process that died.
struct Found {
  fs::file_time_type used;
  std::string name;
  std::uint64_t size;
  friend bool operator<(const Found& a, const Found& b) {
    return std::tie(a.used, a.name) < std::tie(b.used, b.name);
  }
};
void findIn(const std::string& root, const std::string& folder, std::string_view algorithm,
            std::vector<Found>& out) {
  std::error_code failed;
  for (fs::directory_iterator it(root + "/" + folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code ignored;
    const std::string file = it->path().filename().string();
    std::string digest = algorithm.empty() ? file : std::string(algorithm) + ":" + file;
    if (const auto dash = digest.find('-'); dash != std::string::npos) {
      digest[dash] = ':';
    }
    if (!Digest::isDigest(digest)) {
      fs::remove(it->path(), ignored);
      continue;
    }
    out.push_back({it->last_write_time(ignored), folder + "/" + file, it->file_size(ignored)});
  }
}

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::open(Options options, Metrics& metrics) {
  auto cache = std::unique_ptr<BlobCache>(new BlobCache(std::move(options), metrics));
  FLO_TRY(cache->load());
  return cache;
}

BlobCache::BlobCache(Options options, Metrics& metrics)
    : options_(std::move(options)),
      bytes_(metrics.gauge("flotilla_registry_cache_bytes",
                           "Bytes on disk: of whole blobs, and of beginnings that wait.")),
      evicted_(metrics.counter("flotilla_registry_evicted_bytes_total",
                               "Bytes removed to stay within the budget.")) {}

Result<void> BlobCache::load() {
  std::vector<Found> found;
  FLO_TRY(makeFolder(pathOf("partial")));
  findIn(options_.folder, "partial", "", found);
  for (const std::string algorithm : {"sha256", "sha512"}) {
    FLO_TRY(makeFolder(pathOf("blobs/" + algorithm)));
    findIn(options_.folder, "blobs/" + algorithm, algorithm, found);
  }
  std::sort(found.begin(), found.end());
  {
    MutexLock lock(mutex_);
    for (const Found& file : found) {
      add(file.name, file.size);
    }
    evict();
  }
  removeOldBeginnings();
  return {};
}

void BlobCache::removeOldBeginnings() {
  const auto now = fs::file_time_type::clock::now();
  MutexLock lock(mutex_);
  for (auto next = entries_.begin(); next != entries_.end();) {
    const auto entry = next++;
    std::error_code failed;
    const std::string path = pathOf(entry->first);
    if (entry->second.beginning && now - fs::last_write_time(path, failed) > kBeginningsLive) {
      (void)::unlink(path.c_str());
      drop(entry);
    }
  }
}

void BlobCache::add(const std::string& name, std::uint64_t size) {
  if (entries_.contains(name)) {
    return;
  }
  by_use_.push_back(name);
  entries_[name] = Entry{size, isBeginning(name), std::prev(by_use_.end())};
  total_ += size;
  beginnings_ += isBeginning(name) ? size : 0;
  bytes_.Set(static_cast<double>(total_));
}

void BlobCache::drop(Entries::iterator entry) {
  total_ -= entry->second.size;
  beginnings_ -= entry->second.beginning ? entry->second.size : 0;
  by_use_.erase(entry->second.use);
  entries_.erase(entry);
  bytes_.Set(static_cast<double>(total_));
}

/// Open files of removed blobs stay readable for who has them.
void BlobCache::evict() {
  for (auto next = by_use_.begin(); total_ > options_.budget && next != by_use_.end();) {
    const auto entry = entries_.find(*next++);
    if (entry->second.beginning && beginnings_ <= options_.spared) {
      continue;
    }
    (void)::unlink(pathOf(entry->first).c_str());
    evicted_.Increment(static_cast<double>(entry->second.size));
    drop(entry);
  }
}

std::shared_ptr<Blob> BlobCache::openWhole(const Digest& digest) {
  const auto entry = entries_.find(wholeName(digest));
  if (entry == entries_.end()) {
    return nullptr;
  }
  const std::string path = pathOf(entry->first);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 ||
      static_cast<std::uint64_t>(info.st_size) != entry->second.size) {
    log::warning("a cached blob is gone or has another size", {{"digest", digest.text()}});
    (void)::unlink(path.c_str());
    drop(entry);
    return nullptr;
  }
  by_use_.splice(by_use_.end(), by_use_, entry->second.use);
  (void)::futimens(fd.get(), nullptr);  // the order of use survives a restart
  return std::make_shared<Blob>(std::move(fd), entry->second.size);
}

Result<BlobCache::Lookup> BlobCache::acquire(const Digest& digest) {
  MutexLock lock(mutex_);
  if (const auto running = on_their_way_.find(digest.text()); running != on_their_way_.end()) {
    return Lookup{running->second, false};
  }
  if (auto whole = openWhole(digest)) {
    return Lookup{std::move(whole), false};
  }
  const std::string name = partialName(digest);
  UniqueFd fd(::open(pathOf(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + pathOf(name), errno);
  }
  if (const auto beginning = entries_.find(name); beginning != entries_.end()) {
    drop(beginning);
  }
  auto blob = std::make_shared<Blob>(std::move(fd));
  on_their_way_[digest.text()] = blob;
  return Lookup{std::move(blob), true};
}

void BlobCache::keep(const Digest& digest, std::uint64_t size) {
  std::shared_ptr<Blob> blob;
  {
    MutexLock lock(mutex_);
    if (const auto running = on_their_way_.find(digest.text()); running != on_their_way_.end()) {
      blob = running->second;
    }
  }
  const bool wanted = blob && size <= options_.budget;
  // May take seconds, while others ask for other blobs. Nobody but its fetch ends it.
  const bool durable = wanted && ::fdatasync(blob->fd()) == 0;
  const std::string path = pathOf(partialName(digest));
  MutexLock lock(mutex_);
  if (durable && ::rename(path.c_str(), pathOf(wholeName(digest)).c_str()) == 0) {
    add(wholeName(digest), size);
    evict();
  } else {
    if (wanted) {
      log::warning("a blob could not be kept",
                   {{"error", sysError("keep " + path, errno).message()}});
    }
    (void)::unlink(path.c_str());
  }
  on_their_way_.erase(digest.text());
}

void BlobCache::giveUp(const Digest& digest, Beginning beginning) {
  const std::string name = partialName(digest);
  MutexLock lock(mutex_);
  on_their_way_.erase(digest.text());
  struct stat info {};
  if (beginning == Beginning::Remove || ::stat(pathOf(name).c_str(), &info) != 0 ||
      info.st_size == 0) {
    (void)::unlink(pathOf(name).c_str());
    return;
  }
  add(name, static_cast<std::uint64_t>(info.st_size));
  evict();
}

}  // namespace flotilla::registry
