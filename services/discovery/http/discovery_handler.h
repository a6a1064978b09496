#pragma once

#include "common/http/exchange.h"
#include "common/metrics/metrics.h"
#include "discovery/membership/clusters.h"

namespace flotilla::discovery {

/// The token protocol: POST /v1/clusters makes a cluster, POST /v1/clusters/<token>?ttl=<seconds>
/// announces the host:port of the body, GET lists, DELETE removes; and /metrics, /healthz. Failures
/// are text. On one thread.
class DiscoveryHandler {
 public:
  DiscoveryHandler(Clusters& clusters, Metrics& metrics);

  void handle(const http::ExchangePtr& exchange);

 private:
  void create(const http::ExchangePtr& exchange);
  void announce(const http::ExchangePtr& exchange, const std::string& token);
  void list(const http::ExchangePtr& exchange, const std::string& token);
  void remove(const http::ExchangePtr& exchange, const std::string& token);
  void showMetrics(const http::ExchangePtr& exchange);

  Clusters& clusters_;
  Metrics& metrics_;
  prometheus::Counter& announcements_;
  prometheus::Counter& lists_;
  prometheus::Counter& refusals_;
  prometheus::Gauge& known_clusters_;
  prometheus::Gauge& known_entries_;
};

}  // namespace flotilla::discovery
