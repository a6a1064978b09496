#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api-gateway/cluster/engine_directory.h"
#include "api-gateway/cluster/host.h"
#include "common/discovery/discovery.h"
#include "common/event/reactor.h"

namespace flotilla::gateway {

struct MembershipOptions {
  std::chrono::milliseconds refresh_min = std::chrono::seconds(30);  // between full reports
  std::chrono::milliseconds refresh_max = std::chrono::seconds(60);
  int failure_retry = 3;  // probes without an answer that make a host unhealthy
  std::chrono::milliseconds pulse = std::chrono::seconds(3);           // between probes
  std::chrono::milliseconds deadline = std::chrono::seconds(3);        // of a probe
  std::chrono::milliseconds confirm = std::chrono::milliseconds(500);  // next probe after a failure
  std::chrono::milliseconds validate_retry = std::chrono::seconds(10);  // at most, for pending ones
};

/// Told of changes of the membership, on the reactor's thread.
class MembershipListener {
 public:
  virtual ~MembershipListener() = default;

  /// A moment of the container index, taken before a report is asked for.
  virtual std::uint64_t moment() = 0;
  /// All containers of a host as they were some time after `moment`.
  virtual void reported(const HostPtr& host, std::vector<ContainerRow> rows,
                        std::uint64_t moment) = 0;
  /// Became healthy: for the first time, or `again`. After its reported().
  virtual void hostUp(const HostPtr& host, bool again) = 0;
  virtual void hostDown(const HostPtr& host) = 0;
  /// Left discovery, or another engine answers at its address; only for hosts that were up once.
  virtual void hostGone(const HostPtr& host) = 0;
};

/// The hosts that discovery lists: validates them before use, asks each regularly how it is, and
/// marks those that do not answer. Everything on the reactor's thread; destroyed there or after it
/// stopped. The other arguments outlive it.
class Membership {
 public:
  using Connect = std::function<std::shared_ptr<EngineClient>(const std::string& engine_id)>;

  Membership(Reactor& reactor, EngineDirectory& directory, Connect connect,
             MembershipOptions options, MembershipListener& listener);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// The list of discovery, whole.
  void update(const DiscoveryEntries& entries);
  /// `done` runs once: when there is a list, and every host on it was validated or refused at least
  /// once. What the directory cannot say yet is neither.
  void whenSettled(std::function<void()> done);

  /// All that are listed, pending ones included, by name.
  [[nodiscard]] std::vector<HostPtr> all() const;
  [[nodiscard]] std::vector<HostPtr> healthy() const;
  /// By name, engine ID or address; null when there is none or more than one.
  [[nodiscard]] HostPtr find(std::string_view name) const;

  /// Something went wrong with it: asks it how it is, now.
  void suspect(const HostPtr& host);
  /// It has told someone else how it is.
  static void learned(const HostPtr& host, HostFacts facts);

 private:
  class Watched;

  [[nodiscard]] std::string duplicateOf(const Host& host, const std::string& engine_id) const;
  void checkSettled();

  Reactor& reactor_;
  EngineDirectory& directory_;
  const Connect connect_;
  const MembershipOptions options_;
  MembershipListener& listener_;
  std::map<std::string, std::shared_ptr<Watched>> watched_;  // by address
  bool listed_ = false;                                      // whole, as discovery has it
  std::function<void()> settled_;                            // until it ran
};

}  // namespace flotilla::gateway
