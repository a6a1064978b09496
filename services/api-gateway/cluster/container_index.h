#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api-gateway/cluster/host.h"

namespace flotilla::gateway {

/// What the containers of one host ask for together, stopped ones too.
struct HostUse {
  std::int64_t containers = 0, running = 0, paused = 0;
  std::int64_t nano_cpus = 0, memory = 0;
};

/// Which host holds which container and exec: a cache of what engines report, never the truth (a
/// miss is asked of the hosts, a hit may be stale). On the reactor's thread.
class ContainerIndex {
 public:
  struct Entry {
    HostPtr host;
    ContainerRow row;
    std::uint64_t touched = 0;
  };

  /// What a reference names, in Docker's order: full id, name, unambiguous prefix of an id.
  struct Found {
    const Entry* entry = nullptr;    // valid until the index changes
    std::vector<std::string> hosts;  // names of the hosts that hold one, when more than one does
  };
  [[nodiscard]] Found find(std::string_view reference) const;
  /// As above, among the containers of one host.
  [[nodiscard]] Found findOn(const Host& host, std::string_view reference) const;
  [[nodiscard]] const Entry* byId(const std::string& id) const;
  /// Ids of the containers that have exactly this name (without a slash).
  [[nodiscard]] std::vector<std::string> named(std::string_view name) const;

  /// A container as it is now.
  void put(const HostPtr& host, ContainerRow row);
  void rename(const std::string& id, const std::string& name);
  void setState(const std::string& id, const std::string& state);
  void remove(const std::string& id);

  void putExec(const std::string& exec_id, const std::string& container_id);
  [[nodiscard]] const Entry* byExec(const std::string& exec_id) const;

  /// Grows with every change; entries changed after a report was asked for survive it.
  [[nodiscard]] std::uint64_t moment() const { return moment_; }
  void replace(const HostPtr& host, std::vector<ContainerRow> rows, std::uint64_t asked_at);
  /// The same for a report of only what `reference` names on the host.
  void replaceNamed(const HostPtr& host, std::string_view reference, std::vector<ContainerRow> rows,
                    std::uint64_t asked_at);
  void dropHost(const Host& host);

  [[nodiscard]] HostUse use(const Host& host) const;
  void forEach(const std::function<void(const Entry&)>& fn) const;
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }

 private:
  using ById = std::map<std::string, Entry, std::less<>>;

  [[nodiscard]] Found search(std::string_view reference, const Host* only) const;
  /// What a reference names that is no full id: a name, else the start of an id.
  [[nodiscard]] std::vector<const Entry*> matches(std::string_view reference,
                                                  const Host* only) const;
  void count(const Entry& entry, int sign);
  void dropName(const std::string& name, const std::string& id);
  void erase(ById::iterator at);

  ById by_id_;
  std::map<std::string, std::set<std::string>, std::less<>> ids_by_name_;
  std::unordered_map<std::string, std::string> container_by_exec_;
  std::unordered_map<std::string, std::vector<std::string>> execs_by_container_;
  std::unordered_map<const Host*, HostUse> use_;
  std::uint64_t moment_ = 0;
};

}  // namespace flotilla::gateway
