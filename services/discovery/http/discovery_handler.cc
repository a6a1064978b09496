#include "discovery/http/discovery_handler.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "common/json/json.h"

namespace flotilla::discovery {
namespace {

constexpr std::string_view kClusters = "/v1/clusters";
constexpr std::size_t kMaxBody = 1024;
constexpr std::chrono::seconds kDefaultTtl{180};

void respond(const http::ExchangePtr& exchange, int status, const char* type, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", type);
  response.body = std::move(body);
  exchange->respond(std::move(response));
}

void refuse(const http::ExchangePtr& exchange, int status, const std::string& why) {
  respond(exchange, status, "text/plain; charset=utf-8", why + "\n");
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<std::chrono::seconds> timeToLive(const http::Query& query) {
  const std::string text = query.get("ttl");
  if (text.empty()) {
    return kDefaultTtl;
  }
  std::int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorKind::InvalidArgument, "ttl must be a whole number of seconds"};
  }
  return std::chrono::seconds(seconds);
}

}  // namespace

DiscoveryHandler::DiscoveryHandler(Clusters& clusters, Metrics& metrics)
    : clusters_(clusters),
      metrics_(metrics),
      announcements_(metrics.counter("flotilla_discovery_announcements_total", "Hosts announced.")),
      lists_(metrics.counter("flotilla_discovery_lists_total", "Lists of hosts answered.")),
      refusals_(metrics.counter("flotilla_discovery_refusals_total", "Requests refused.")),
      known_clusters_(metrics.gauge("flotilla_discovery_clusters", "Clusters known.")),
      known_entries_(
          metrics.gauge("flotilla_discovery_entries", "Hosts announced and not expired.")) {}

void DiscoveryHandler::handle(const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  std::string_view path = request.path;
  if (request.method == "GET" && path == "/metrics") {
    showMetrics(exchange);
    return;
  }
  if (request.method == "GET" && path == "/healthz") {
    respond(exchange, 200, "text/plain; charset=utf-8", "ok\n");
    return;
  }
  if (path == kClusters && request.method == "POST") {
    create(exchange);
    return;
  }
  const bool has_token = path.starts_with(kClusters) && path.size() > kClusters.size() + 1 &&
                         path[kClusters.size()] == '/';
  const std::string token(has_token ? path.substr(kClusters.size() + 1) : "");
  if (has_token && request.method == "POST") {
    announce(exchange, token);
  } else if (has_token && request.method == "GET") {
    list(exchange, token);
  } else if (has_token && request.method == "DELETE") {
    remove(exchange, token);
  } else {
    refusals_.Increment();
    refuse(exchange, has_token || path == kClusters ? 405 : 404,
           has_token || path == kClusters ? "method not allowed" : "page not found");
  }
}

void DiscoveryHandler::create(const http::ExchangePtr& exchange) {
  auto token = clusters_.create();
  if (!token) {
    refusals_.Increment();
    refuse(exchange, httpStatus(token.error().kind()), token.error().message());
    return;
  }
  respond(exchange, 200, "text/plain; charset=utf-8", *std::move(token));
}

void DiscoveryHandler::announce(const http::ExchangePtr& exchange, const std::string& token) {
  exchange->readBody(kMaxBody, [this, exchange, token](Result<std::string> body) {
    const auto done = [&]() -> Result<void> {
      FLO_TRY(body);
      FLO_TRY_ASSIGN(const auto ttl, timeToLive(exchange->request().query));
      return clusters_.announce(token, std::string(trimmed(*body)), ttl);
    }();
    if (!done) {
      refusals_.Increment();
      refuse(exchange, httpStatus(done.error().kind()), done.error().message());
      return;
    }
    announcements_.Increment();
    respond(exchange, 200, "text/plain; charset=utf-8", "OK");
  });
}

void DiscoveryHandler::list(const http::ExchangePtr& exchange, const std::string& token) {
  const auto entries = clusters_.list(token);
  if (!entries) {
    refusals_.Increment();
    refuse(exchange, httpStatus(entries.error().kind()), entries.error().message());
    return;
  }
  lists_.Increment();
  respond(exchange, 200, "application/json", json::dump(json::Json(*entries)));
}

void DiscoveryHandler::remove(const http::ExchangePtr& exchange, const std::string& token) {
  if (const auto removed = clusters_.remove(token); !removed) {
    refusals_.Increment();
    refuse(exchange, httpStatus(removed.error().kind()), removed.error().message());
    return;
  }
  respond(exchange, 200, "text/plain; charset=utf-8", "OK");
}

void DiscoveryHandler::showMetrics(const http::ExchangePtr& exchange) {
  known_clusters_.Set(static_cast<double>(clusters_.clusters()));
  known_entries_.Set(static_cast<double>(clusters_.entries()));
  respond(exchange, 200, "text/plain; version=0.0.4", metrics_.text());
}

}  // namespace flotilla::discovery
