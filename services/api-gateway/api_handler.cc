#include "api-gateway/api_handler.h"

#include <string_view>
#include <utility>

#include "api-gateway/http/api_version.h"
#include "api-gateway/http/reply.h"
#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

/// A refusal of the version in the words and the form the client can read.
http::Response versionRefused(const Error& error, std::string_view version) {
  if (isOlderThanSupported(version)) {
    return textResponse(400, kPlainType, error.message() + "\n");
  }
  return errorResponse(error);
}

std::vector<http::Router::Route> routerTable(const std::vector<const Route*>& routes) {
  std::vector<http::Router::Route> table;
  table.reserve(routes.size());
  for (const Route* route : routes) {
    table.push_back({std::string(route->method), std::string(route->pattern)});
  }
  return table;
}

/// dockerd redirects such paths; here they name nothing.
bool isUnclean(std::string_view path) {
  return path.find("//") != std::string_view::npos || path.find("/./") != std::string_view::npos ||
         path.find("/../") != std::string_view::npos || path.ends_with("/..") ||
         path.ends_with("/.");
}

}  // namespace

ApiHandler::ApiHandler(const Options& options, Reactor& reactor, EngineClient& cluster,
                       Metrics& metrics)
    : metrics_(metrics),
      request_metrics_(metrics),
      edge_{.metrics = request_metrics_, .cors_origin = options.cors_origin},
      dispatch_{.reactor = reactor,
                .cluster = cluster,
                .jobs_in_flight = metrics.gauge("flotilla_jobs_in_flight",
                                                "Jobs submitted and not yet completed."),
                .stream_tls = options.stream_tls,
                .result_patience = options.result_patience},
      gate_(reactor, options.gate),
      routes_(allRoutes()),
      router_(routerTable(routes_)) {}

void ApiHandler::onAllAnswered(std::function<void()> fn) { edge_.on_all_answered = std::move(fn); }

void ApiHandler::handle(http::ExchangePtr raw, Exposure exposure) {
  auto exchange = std::make_shared<ApiExchange>(std::move(raw), edge_);
  if (auto checked = checkOrigin(exchange->request(), exposure, edge_.cors_origin); !checked) {
    exchange->respond(errorResponse(checked.error()));
    return;
  }
  if (answerWatchers(exchange)) {
    return;
  }
  if (gate_.isOpen()) {
    route(exchange);
    return;
  }
  gate_.pass(exchange, [this, exchange] { route(exchange); });
}

bool ApiHandler::answerWatchers(const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (request.method != "GET") {
    return false;
  }
  if (request.path == "/healthz") {
    exchange->respond(textResponse(200, kPlainType, gate_.isOpen() ? "ok\n" : "starting\n"));
    return true;
  }
  if (request.path == "/metrics") {
    exchange->respond(
        textResponse(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text()));
    return true;
  }
  return false;
}

void ApiHandler::route(const std::shared_ptr<ApiExchange>& exchange) {
  const http::Request& request = exchange->request();
  if (request.method == "OPTIONS") {
    exchange->matched("preflight", "OPTIONS");
    exchange->respond({});
    return;
  }
  if (isUnclean(request.path)) {
    exchange->respond(pageNotFound());
    return;
  }
  auto match = router_.match(request.method, request.path);
  if (match.outcome != http::Router::Outcome::Found) {
    exchange->respond(pageNotFound());  // dockerd says so for wrong methods too
    return;
  }
  const Route& found = *routes_[match.route];
  exchange->matched(found.pattern, found.method);
  const auto version = negotiateVersion(match.version);
  if (!version) {
    exchange->respond(versionRefused(version.error(), match.version));
    return;
  }
  Call call{.exchange = exchange,
            .route = found,
            .holes = {},
            .version = *version,
            .dispatch = dispatch_};
  for (auto& [name, value] : match.params) {
    call.holes.push_back(std::move(value));
  }
  found.handler(call);
}

}  // namespace flotilla::gateway
