#include "api-gateway/cluster/container_index.h"

#include <algorithm>
#include <utility>

namespace flotilla::gateway {
namespace {

constexpr std::size_t kExecsKept = 1000;  // a container, as engines keep them

bool isRunning(const std::string& state) { return state == "running" || state == "restarting"; }

}  // namespace

ContainerIndex::Found ContainerIndex::find(std::string_view reference) const {
  return search(reference, nullptr);
}

ContainerIndex::Found ContainerIndex::findOn(const Host& host, std::string_view reference) const {
  return search(reference, &host);
}

std::vector<const ContainerIndex::Entry*> ContainerIndex::matches(std::string_view reference,
                                                                  const Host* only) const {
  std::vector<const Entry*> found;
  const auto add = [&](const Entry& entry) {
    if (only == nullptr || entry.host.get() == only) {
      found.push_back(&entry);
    }
  };
  std::string_view name = reference;
  name.remove_prefix(name.starts_with('/') ? 1 : 0);
  if (const auto named = ids_by_name_.find(name); named != ids_by_name_.end()) {
    for (const std::string& id : named->second) {
      add(by_id_.at(id));
    }
  }
  if (found.empty() && !reference.empty()) {
    for (auto at = by_id_.lower_bound(reference);
         at != by_id_.end() && at->first.starts_with(reference); ++at) {
      add(at->second);
    }
  }
  return found;
}

ContainerIndex::Found ContainerIndex::search(std::string_view reference, const Host* only) const {
  if (const auto exact = by_id_.find(reference);
      exact != by_id_.end() && (only == nullptr || exact->second.host.get() == only)) {
    return {&exact->second, {}};
  }
  const auto matching = matches(reference, only);
  if (matching.size() == 1) {
    return {matching.front(), {}};
  }
  Found several;
  for (const Entry* entry : matching) {
    several.hosts.push_back(entry->host->name());
  }
  return several;
}

const ContainerIndex::Entry* ContainerIndex::byId(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::vector<std::string> ContainerIndex::named(std::string_view name) const {
  const auto found = ids_by_name_.find(name);
  return found == ids_by_name_.end()
             ? std::vector<std::string>{}
             : std::vector<std::string>(found->second.begin(), found->second.end());
}

void ContainerIndex::count(const Entry& entry, int sign) {
  HostUse& use = use_[entry.host.get()];
  use.containers += sign;
  use.running += isRunning(entry.row.state) ? sign : 0;
  use.paused += entry.row.state == "paused" ? sign : 0;
  use.nano_cpus += sign * entry.row.nano_cpus;
  use.memory += sign * entry.row.memory;
}

void ContainerIndex::dropName(const std::string& name, const std::string& id) {
  const auto named = ids_by_name_.find(name);
  if (named == ids_by_name_.end()) {
    return;
  }
  named->second.erase(id);
  if (named->second.empty()) {
    ids_by_name_.erase(named);
  }
}

void ContainerIndex::put(const HostPtr& host, ContainerRow row) {
  if (const auto old = by_id_.find(row.id); old != by_id_.end()) {
    count(old->second, -1);
    dropName(old->second.row.name, row.id);
  }
  ids_by_name_[row.name].insert(row.id);
  const std::string id = row.id;
  Entry& entry = by_id_[id];
  entry = {host, std::move(row), ++moment_};
  count(entry, 1);
}

void ContainerIndex::rename(const std::string& id, const std::string& name) {
  const auto at = by_id_.find(id);
  if (at == by_id_.end() || at->second.row.name == name) {
    return;
  }
  dropName(at->second.row.name, id);
  ids_by_name_[name].insert(id);
  at->second.row.name = name;
  at->second.touched = ++moment_;
}

void ContainerIndex::setState(const std::string& id, const std::string& state) {
  if (const auto at = by_id_.find(id); at != by_id_.end()) {
    count(at->second, -1);
    at->second.row.state = state;
    at->second.touched = ++moment_;
    count(at->second, 1);
  }
}

void ContainerIndex::erase(ById::iterator at) {
  count(at->second, -1);
  dropName(at->second.row.name, at->first);
  if (const auto execs = execs_by_container_.find(at->first); execs != execs_by_container_.end()) {
    for (const std::string& exec : execs->second) {
      container_by_exec_.erase(exec);
    }
    execs_by_container_.erase(execs);
  }
  by_id_.erase(at);
  ++moment_;
}

void ContainerIndex::remove(const std::string& id) {
  if (const auto at = by_id_.find(id); at != by_id_.end()) {
    erase(at);
  }
}

void ContainerIndex::putExec(const std::string& exec_id, const std::string& container_id) {
  if (!by_id_.contains(container_id) || !container_by_exec_.emplace(exec_id, container_id).second) {
    return;
  }
  auto& execs = execs_by_container_[container_id];
  execs.push_back(exec_id);
  if (execs.size() > kExecsKept) {
    container_by_exec_.erase(execs.front());
    execs.erase(execs.begin());
  }
}

const ContainerIndex::Entry* ContainerIndex::byExec(const std::string& exec_id) const {
  const auto found = container_by_exec_.find(exec_id);
  return found == container_by_exec_.end() ? nullptr : byId(found->second);
}

void ContainerIndex::replace(const HostPtr& host, std::vector<ContainerRow> rows,
                             std::uint64_t asked_at) {
  std::set<std::string> reported;
  for (ContainerRow& row : rows) {
    reported.insert(row.id);
    const Entry* known = byId(row.id);
    if (known == nullptr || known->touched <= asked_at || known->row.summary.empty()) {
      put(host, std::move(row));
    }
  }
  for (auto at = by_id_.begin(); at != by_id_.end();) {
    const auto next = std::next(at);
    if (at->second.host == host && at->second.touched <= asked_at &&
        !reported.contains(at->first)) {
      erase(at);
    }
    at = next;
  }
}

void ContainerIndex::replaceNamed(const HostPtr& host, std::string_view reference,
                                  std::vector<ContainerRow> rows, std::uint64_t asked_at) {
  std::vector<std::string> gone;
  for (const Entry* entry : matches(reference, host.get())) {
    const bool reported = std::any_of(
        rows.begin(), rows.end(), [&](const ContainerRow& row) { return row.id == entry->row.id; });
    if (!reported && entry->touched <= asked_at) {
      gone.push_back(entry->row.id);
    }
  }
  for (const std::string& id : gone) {
    remove(id);
  }
  for (ContainerRow& row : rows) {
    put(host, std::move(row));
  }
}

void ContainerIndex::dropHost(const Host& host) {
  for (auto at = by_id_.begin(); at != by_id_.end();) {
    const auto next = std::next(at);
    if (at->second.host.get() == &host) {
      erase(at);
    }
    at = next;
  }
  use_.erase(&host);
}

HostUse ContainerIndex::use(const Host& host) const {
  const auto found = use_.find(&host);
  return found == use_.end() ? HostUse{} : found->second;
}

void ContainerIndex::forEach(const std::function<void(const Entry&)>& fn) const {
  for (const auto& [id, entry] : by_id_) {
    fn(entry);
  }
}

}  // namespace flotilla::gateway
