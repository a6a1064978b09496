#include "engine/runtime/seccomp_filter.h"

#include <map>
#include <mutex>
#include <utility>

#include "engine/runtime/seccomp.h"
#include "engine/runtime/seccomp_bpf.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxKept = 64;  // few hosts use more sets of capabilities than two or three

class FilterCache {
 public:
  using Key = std::pair<model::CapabilitySet, SeccompCompiler>;

  SeccompFilter get(const Key& key) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = filters_.find(key); found != filters_.end()) {
        return found->second;
      }
    }
    SeccompFilter made = finishFilter(defaultSeccomp(key.first), key.second);
    const std::lock_guard lock(mutex_);
    if (filters_.size() >= kMaxKept) {
      filters_.clear();
    }
    filters_.insert_or_assign(key, made);
    return made;
  }

 private:
  std::mutex mutex_;  // guards filters_
  std::map<Key, SeccompFilter> filters_;
};

}  // namespace

SeccompFilter finishFilter(nlohmann::json rules, SeccompCompiler compiler) {
  SeccompFilter filter;
  if (compiler == SeccompCompiler::Engine) {
    if (const auto program = compileSeccomp(rules)) {
      filter.program = encodeBpf(*program);
      filter.rules = {{"defaultAction", rules["defaultAction"]},
                      {"syscalls", nlohmann::json::array()}};
      return filter;
    }
  }
  filter.rules = std::move(rules);
  return filter;
}

SeccompFilter defaultFilter(model::CapabilitySet capabilities, SeccompCompiler compiler) {
  static FilterCache cache;
  return cache.get({capabilities, compiler});
}

}  // namespace flotilla::engine
