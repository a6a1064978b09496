#include "api-gateway/http/api_exchange.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "api-gateway/http/standard_headers.h"

namespace flotilla::gateway {
namespace {

/// The status in "HTTP/1.1 101 ...", a head made by this program.
int statusOf(std::string_view head) {
  constexpr std::size_t kAt = std::string_view("HTTP/1.1 ").size();
  int status = 0;
  if (head.size() >= kAt + 3) {
    std::from_chars(head.data() + kAt, head.data() + kAt + 3, status);
  }
  return status;
}

}  // namespace

ApiExchange::ApiExchange(http::ExchangePtr inner, Edge& edge)
    : inner_(std::move(inner)), edge_(edge) {
  edge_.unanswered.fetch_add(1, std::memory_order_relaxed);
}

ApiExchange::~ApiExchange() {
  if (!answered_.exchange(true)) {
    countDown();  // the inner exchange answers 500
  }
}

void ApiExchange::countDown() {
  if (edge_.unanswered.fetch_sub(1) == 1 && edge_.on_all_answered) {
    edge_.on_all_answered();
  }
}

void ApiExchange::decorate(http::Response& response) const {
  if (standard_headers_) {
    addStandardHeaders(response.headers);
  }
  if (response.status >= 400) {
    response.headers.add("X-Request-Id", request().id);
  }
  if (!edge_.cors_origin.empty()) {
    response.headers.add("Access-Control-Allow-Origin", edge_.cors_origin);
    response.headers.add("Access-Control-Allow-Headers",
                         "Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth");
    response.headers.add("Access-Control-Allow-Methods", "HEAD, GET, POST, DELETE, PUT, OPTIONS");
  }
}

void ApiExchange::answered(int status) {
  if (answered_.exchange(true)) {
    return;
  }
  const auto took = std::chrono::steady_clock::now() - began_;
  edge_.metrics.observe(pattern_, method_, status, took);
  countDown();
}

void ApiExchange::respond(http::Response response) {
  decorate(response);
  answered(response.status);
  inner_->respond(std::move(response));
}

std::shared_ptr<net::Stream> ApiExchange::open(http::Response head) {
  decorate(head);
  answered(head.status);
  return inner_->open(std::move(head));
}

std::shared_ptr<net::Stream> ApiExchange::hijack(std::string head) {
  answered(statusOf(head));
  return inner_->hijack(std::move(head));
}

}  // namespace flotilla::gateway
