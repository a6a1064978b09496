#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api-gateway/cluster/engine_client.h"
#include "api-gateway/http/api_exchange.h"
#include "api-gateway/http/origin_guard.h"
#include "api-gateway/http/request_metrics.h"
#include "api-gateway/listeners/activation_gate.h"
#include "api-gateway/routes/route.h"
#include "api-gateway/streams/dispatch.h"
#include "common/event/reactor.h"
#include "common/http/exchange.h"
#include "common/http/router.h"
#include "common/metrics/metrics.h"
#include "common/net/tls_context.h"

namespace flotilla::gateway {

/// The way of a request from its connection to its route: guard, gate, version, route. On the
/// reactor's thread. Outlives its exchanges.
class ApiHandler {
 public:
  struct Options {
    std::string cors_origin = {};  // --api-cors-header
    ActivationGate::Options gate = {};
    net::TlsContextPtr stream_tls = nullptr;  // client context for streams of other hosts
    std::chrono::milliseconds result_patience = std::chrono::seconds(30);  // as Dispatch says
  };

  ApiHandler(const Options& options, Reactor& reactor, EngineClient& cluster, Metrics& metrics);

  void handle(http::ExchangePtr exchange, Exposure exposure);

  [[nodiscard]] ActivationGate& gate() { return gate_; }
  /// Requests that have not begun their answer.
  [[nodiscard]] int unanswered() const { return edge_.unanswered.load(); }
  /// Ends the connections that left HTTP, which no server closes.
  void cutHijacked(const Error& why) { dispatch_.hijacked.cut(why); }
  /// Runs on any thread each time unanswered() falls to 0. Set before the first request.
  void onAllAnswered(std::function<void()> fn);

 private:
  /// /healthz and /metrics: for those who watch the process, whatever state it is in.
  bool answerWatchers(const http::ExchangePtr& exchange);
  void route(const std::shared_ptr<ApiExchange>& exchange);

  Metrics& metrics_;
  RequestMetrics request_metrics_;
  Edge edge_;
  Dispatch dispatch_;
  ActivationGate gate_;
  const std::vector<const Route*> routes_;
  const http::Router router_;
};

}  // namespace flotilla::gateway
