#include "discovery/membership/clusters.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/discovery/discovery.h"
#include "common/json/json.h"
#include "common/os/atomic_file.h"
#include "common/os/random.h"

namespace flotilla::discovery {
namespace {

constexpr std::size_t kTokenBytes = 16;
constexpr std::size_t kMaxEntry = 261;  // a host name of 255, a colon and a port
constexpr std::size_t kMaxFile = 512U << 20U;
constexpr int kVersion = 1;

}  // namespace

Result<Clusters> Clusters::open(Options options) {
  Clusters clusters(std::move(options));
  auto text = readFile(clusters.options_.file, kMaxFile);
  if (text) {
    FLO_TRY(clusters.load(*text));
  } else if (text.error().sysErrno() != ENOENT) {
    return std::move(text).error();
  }
  return clusters;
}

Result<void> Clusters::load(std::string_view text) {
  const auto document = json::parse(text);
  if (!document || !document->is_object() ||
      json::integerOr(*document, "version", 0).value_or(0) != kVersion) {
    return Error{ErrorKind::InvalidArgument, options_.file + " is not a file of this service"};
  }
  const auto stored_clusters = document->find("clusters");
  if (stored_clusters == document->end() || !stored_clusters->is_object()) {
    return Error{ErrorKind::InvalidArgument, options_.file + " lacks its clusters"};
  }
  for (const auto& [token, stored] : stored_clusters->items()) {
    if (!stored.is_object()) {
      continue;
    }
    Cluster cluster;
    FLO_TRY_ASSIGN(cluster.used, json::integerOr(stored, "used", 0));
    const auto entries = stored.find("entries");
    for (const auto& item :
         entries != stored.end() && entries->is_array() ? *entries : json::Json::array()) {
      Entry entry;
      FLO_TRY_ASSIGN(entry.address, json::stringOr(item, "address", ""));
      FLO_TRY_ASSIGN(entry.expires, json::integerOr(item, "expires", 0));
      cluster.entries.push_back(std::move(entry));
    }
    clusters_[token] = std::move(cluster);
  }
  return {};
}

Result<void> Clusters::save(bool now) {
  json::Json all = json::Json::object();
  for (const auto& [token, cluster] : clusters_) {
    json::Json entries = json::Json::array();
    for (const Entry& entry : cluster.entries) {
      entries.push_back({{"address", entry.address}, {"expires", entry.expires}});
    }
    all[token] = {{"used", cluster.used}, {"entries", std::move(entries)}};
  }
  const json::Json document = {{"version", kVersion}, {"clusters", std::move(all)}};
  FLO_TRY(writeFileAtomically(options_.file, json::dump(document), 0600,
                              now ? Durability::Synced : Durability::Cached));
  changed_ = false;
  return {};
}

Result<std::string> Clusters::create() {
  if (clusters_.size() >= options_.max_clusters) {
    return Error{ErrorKind::Unavailable, "there are too many clusters"};
  }
  std::string token = randomHex(kTokenBytes);
  clusters_[token].used = options_.now();
  if (auto saved = save(true); !saved) {
    clusters_.erase(token);
    return std::move(saved).error();
  }
  return token;
}

Result<Clusters::Cluster*> Clusters::find(const std::string& token) {
  const auto found = clusters_.find(token);
  if (found == clusters_.end()) {
    return Error{ErrorKind::NotFound, "no such cluster"};
  }
  return &found->second;
}

void Clusters::forgetExpired(Cluster& cluster) {
  const std::int64_t now = options_.now();
  changed_ = std::erase_if(cluster.entries,
                           [now](const Entry& entry) { return entry.expires <= now; }) > 0 ||
             changed_;
}

Result<void> Clusters::announce(const std::string& token, const std::string& entry,
                                std::chrono::seconds ttl) {
  FLO_TRY_ASSIGN(Cluster* const cluster, find(token));
  if (entry.size() > kMaxEntry) {
    return Error{ErrorKind::InvalidArgument,
                 "an entry of more than " + std::to_string(kMaxEntry) + " bytes"};
  }
  FLO_TRY(checkEntry(entry));
  if (ttl.count() <= 0 || ttl > options_.longest_ttl) {
    return Error{
        ErrorKind::InvalidArgument,
        "ttl must be between 1 and " + std::to_string(options_.longest_ttl.count()) + " seconds"};
  }
  forgetExpired(*cluster);
  const std::int64_t now = options_.now();
  cluster->used = now;
  changed_ = true;
  for (Entry& known : cluster->entries) {
    if (known.address == entry) {
      known.expires = now + ttl.count();
      return {};
    }
  }
  if (cluster->entries.size() >= options_.max_entries) {
    return Error{ErrorKind::Unavailable, "the cluster has too many entries"};
  }
  cluster->entries.push_back({entry, now + ttl.count()});
  return {};
}

Result<std::vector<std::string>> Clusters::list(const std::string& token) {
  FLO_TRY_ASSIGN(Cluster* const cluster, find(token));
  forgetExpired(*cluster);
  std::vector<std::string> addresses;
  for (const Entry& entry : cluster->entries) {
    addresses.push_back(entry.address);
  }
  return addresses;
}

Result<void> Clusters::remove(const std::string& token) {
  FLO_TRY(find(token));
  clusters_.erase(token);
  return save(true);
}

Result<void> Clusters::keep() {
  const std::int64_t unused_since =
      options_.now() -
      std::chrono::duration_cast<std::chrono::seconds>(options_.unused_life).count();
  for (auto& [token, cluster] : clusters_) {
    forgetExpired(cluster);
  }
  changed_ = std::erase_if(clusters_,
                           [unused_since](const auto& item) {
                             return item.second.entries.empty() && item.second.used < unused_since;
                           }) > 0 ||
             changed_;
  return changed_ ? save(false) : Result<void>{};
}

std::size_t Clusters::entries() const {
  std::size_t count = 0;
  for (const auto& [token, cluster] : clusters_) {
    count += cluster.entries.size();
  }
  return count;
}

}  // namespace flotilla::discovery
