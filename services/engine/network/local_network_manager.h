#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/os/mutex.h"
#include "engine/network/firewall.h"
#include "engine/network/lease_store.h"
#include "engine/network/namespace_pool.h"
#include "engine/network/network_manager.h"
#include "engine/network/network_records.h"
#include "engine/network/port_allocator.h"

namespace flotilla::engine {

/// The networks of this host: a bridge with leased addresses and published ports, host and none.
///
/// The lease's row is the truth about an attached container: it is written before the rules and
/// deleted before them, and the rules are rebuilt from the rows whenever the kernel disagrees.
class LocalNetworkManager final : public NetworkManager {
 public:
  LocalNetworkManager(Database& database, NetworkOptions options,
                      std::vector<NetworkRecord> records, NetlinkSocket host,
                      std::unique_ptr<Firewall> firewall);

  Result<UniqueFd> isolated() override;
  Result<Attachment> attach(const AttachRequest& request,
                            const std::string& container_name) override;
  Result<void> release(const std::string& container_id) override;
  Result<void> reconcile(const std::vector<std::pair<std::string, Endpoint>>& running) override;
  Result<void> join() override;
  Result<NetworkSummary> find(const std::string& name_or_id) override;
  Result<std::string> inspectJson(const std::string& name_or_id) override;
  Result<std::string> listJson(const NetworkFilters& filters) override;
  std::vector<std::string> warnings() override;

 private:
  Result<const NetworkRecord*> findRecord(const std::string& name_or_id) const;
  [[nodiscard]] const NetworkRecord& bridge() const;
  [[nodiscard]] Endpoint newEndpoint(const NetworkRecord& record) const;

  Result<Attachment> attachToBridge(const AttachRequest& request, Endpoint endpoint,
                                    const std::string& container_name);
  Result<HeldPorts> holdPorts(const AttachRequest& request, const std::string& endpoint_label);
  Error portError(const PortFailure& failure, const std::string& endpoint_label);
  Result<void> checkUnheld(const HeldPorts& held, const std::string& endpoint_label);
  std::optional<PortBinding> ourHolder(const PortBinding& wanted);
  Result<void> finishAttach(const AttachRequest& request, Attachment& attachment, Ipv4 address);
  Result<void> publish(const std::vector<PublishedPort>& ports);
  Result<void> rebuildRules();
  Result<NamespacePool*> pool();
  Result<void> openPool() FLO_REQUIRES(mutex_);
  Result<void> adoptLeases(const std::vector<std::pair<std::string, Endpoint>>& running);

  const NetworkOptions options_;
  const std::vector<NetworkRecord> records_;
  LeaseStore leases_;
  PortAllocator allocator_;
  const std::unique_ptr<Firewall> firewall_;
  Mutex mutex_;
  NetlinkSocket host_ FLO_GUARDED_BY(mutex_);
  std::unique_ptr<NamespacePool> pool_
      FLO_GUARDED_BY(mutex_);  // made by reconcile(), never replaced
};

}  // namespace flotilla::engine
