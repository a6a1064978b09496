#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "api-gateway/cluster/swarm_cluster.h"
#include "common/error/result.h"

namespace flotilla::gateway {

/// Options of a gateway in front of a cluster, as swarm classic's `manage` had them.
struct ClusterSettings {
  std::string discovery;  // "" = no cluster
  std::string strategy = "spread";
  std::string heartbeat = "60s";
  std::string refresh_min = "30s", refresh_max = "60s";
  int failure_retry = 3;
  std::vector<std::string> cluster_options;  // "swarm.overcommit=0.05"
  // Mutual TLS to the engines' streams and to the discovery service.
  std::string tls_ca_cert, tls_cert, tls_key;
};

/// --discovery, --strategy, --cluster-heartbeat, --engine-refresh-min-interval,
/// --engine-refresh-max-interval, --engine-failure-retry, --cluster-opt, --cluster-tlscacert,
/// --cluster-tlscert, --cluster-tlskey.
void declareCluster(CLI::App& app, ClusterSettings& settings);

/// How this gateway reaches streams on other hosts: either both sides show certificates of the
/// cluster, or nothing is said. Null when the settings have none. Errors: InvalidArgument naming
/// the option or file.
Result<net::TlsContextPtr> clusterTls(const ClusterSettings& settings);

struct CheckedClusterSettings {
  SwarmOptions swarm;
  DiscoveryOptions discovery;
};
/// In the order in which swarm classic checked them. Errors: InvalidArgument in its words, or
/// naming a TLS file.
Result<CheckedClusterSettings> checkClusterSettings(const ClusterSettings& settings);

}  // namespace flotilla::gateway
