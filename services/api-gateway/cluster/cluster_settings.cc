#include "api-gateway/cluster/cluster_settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "common/config/duration.h"

namespace flotilla::gateway {
namespace {

using std::chrono::milliseconds;

Error invalid(std::string message) { return Error{ErrorKind::InvalidArgument, std::move(message)}; }

/// A number as Go reads it, whole or not at all; nothing otherwise.
std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

Result<double> overcommit(const std::vector<std::string>& options) {
  constexpr std::string_view kKey = "swarm.overcommit=";
  double value = 0.05;
  for (const std::string& option : options) {
    if (option.find('=') == std::string::npos) {
      return invalid("--cluster-opt must contain key=value strings");
    }
    if (!option.starts_with(kKey)) {
      return invalid("--cluster-opt: unknown option " + option.substr(0, option.find('=')));
    }
    const auto given = number(option.substr(kKey.size()));
    if (!given) {
      return invalid("swarm.overcommit is not a number: " + option.substr(kKey.size()));
    }
    value = *given;
  }
  if (value <= -1) {
    return invalid("swarm.overcommit should be larger than -1, " + std::to_string(value) +
                   " is invalid");
  }
  return value;
}

}  // namespace

Result<net::TlsContextPtr> clusterTls(const ClusterSettings& settings) {
  if (settings.tls_ca_cert.empty() && settings.tls_cert.empty() && settings.tls_key.empty()) {
    return net::TlsContextPtr{};
  }
  if (settings.tls_ca_cert.empty() || settings.tls_cert.empty() || settings.tls_key.empty()) {
    return invalid("--cluster-tlscacert, --cluster-tlscert and --cluster-tlskey belong together");
  }
  return net::TlsContext::create({.role = net::TlsContext::Role::Client,
                                  .cert_file = settings.tls_cert,
                                  .key_file = settings.tls_key,
                                  .ca_file = settings.tls_ca_cert,
                                  .peer_check = net::TlsContext::PeerCheck::Required});
}

void declareCluster(CLI::App& app, ClusterSettings& settings) {
  app.add_option("--discovery", settings.discovery,
                 "Where the hosts of the cluster are listed: token://, redis://, nodes://, file://")
      ->envname("SWARM_DISCOVERY");
  app.add_option("--strategy", settings.strategy, "How hosts are chosen for new containers: spread")
      ->capture_default_str();
  app.add_option("--cluster-heartbeat", settings.heartbeat, "Time between looks at discovery")
      ->capture_default_str();
  app.add_option("--engine-refresh-min-interval", settings.refresh_min,
                 "Shortest time between full reports of an engine")
      ->capture_default_str();
  app.add_option("--engine-refresh-max-interval", settings.refresh_max,
                 "Longest time between full reports of an engine")
      ->capture_default_str();
  app.add_option("--engine-failure-retry", settings.failure_retry,
                 "Missed answers that make an engine unhealthy")
      ->capture_default_str();
  app.add_option("--cluster-opt", settings.cluster_options, "key=value: swarm.overcommit");
  app.add_option("--cluster-tlscacert", settings.tls_ca_cert,
                 "The cluster's certificate authority");
  app.add_option("--cluster-tlscert", settings.tls_cert,
                 "Certificate of this gateway in the cluster");
  app.add_option("--cluster-tlskey", settings.tls_key, "Key of that certificate");
}

Result<CheckedClusterSettings> checkClusterSettings(const ClusterSettings& settings) {
  CheckedClusterSettings checked;
  FLO_TRY_ASSIGN(checked.swarm.dial.tls, clusterTls(settings));
  checked.discovery.token = {.ca_file = settings.tls_ca_cert,
                             .cert_file = settings.tls_cert,
                             .key_file = settings.tls_key};
  const auto heartbeat = config::parseDuration(settings.heartbeat);
  if (!heartbeat) {
    return invalid("invalid --cluster-heartbeat: " + heartbeat.error().message());
  }
  if (*heartbeat < std::chrono::seconds(1)) {
    return invalid("--cluster-heartbeat should be at least one second");
  }
  checked.discovery.heartbeat = *heartbeat;
  MembershipOptions& membership = checked.swarm.membership;
  const auto shortest = config::parseDuration(settings.refresh_min);
  if (!shortest || *shortest <= milliseconds(0)) {
    return invalid("min refresh interval should be a positive number");
  }
  const auto longest = config::parseDuration(settings.refresh_max);
  if (!longest || *longest < *shortest) {
    return invalid("max refresh interval cannot be less than min refresh interval");
  }
  membership.refresh_min = *shortest;
  membership.refresh_max = *longest;
  if (settings.failure_retry <= 0) {
    return invalid("invalid failure retry count");
  }
  membership.failure_retry = settings.failure_retry;
  FLO_TRY_ASSIGN(checked.swarm.overcommit, overcommit(settings.cluster_options));
  FLO_TRY(makeStrategy(settings.strategy, checked.swarm.overcommit));
  checked.swarm.strategy = settings.strategy;
  return checked;
}

}  // namespace flotilla::gateway
