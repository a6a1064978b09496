#include "registry-proxy/http/access_grants.h"

namespace flotilla::registry {
namespace {

constexpr std::size_t kMaxGrants = 65'536;

std::string keyOf(const std::string& caller, const std::string& repository,
                  const std::string& digest) {
  return caller + " " + repository + " " + digest;
}

}  // namespace

void AccessGrants::grant(const std::string& caller, const std::string& repository,
                         const std::string& digest) {
  MutexLock lock(mutex_);
  if (until_.size() >= kMaxGrants) {
    until_.clear();  // the upstream is asked again
  }
  until_[keyOf(caller, repository, digest)] = Clock::now() + lifetime_;
}

bool AccessGrants::has(const std::string& caller, const std::string& repository,
                       const std::string& digest) {
  MutexLock lock(mutex_);
  const auto found = until_.find(keyOf(caller, repository, digest));
  if (found == until_.end()) {
    return false;
  }
  if (found->second <= Clock::now()) {
    until_.erase(found);
    return false;
  }
  return true;
}

}  // namespace flotilla::registry
