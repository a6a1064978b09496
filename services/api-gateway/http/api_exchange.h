#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "api-gateway/http/request_metrics.h"
#include "common/http/exchange.h"

namespace flotilla::gateway {

/// What every answer of the API has in common; outlives the exchanges.
struct Edge {
  RequestMetrics& metrics;
  std::string cors_origin;  // "" sends no CORS headers
  /// Requests that have not begun their answer, and who waits for there being none.
  std::atomic<int> unanswered{0};
  std::function<void()> on_all_answered;  // may run on any thread; set before the first request
};

/// An exchange seen through the middleware: adds the standard and CORS headers and the request id,
/// counts and times the answer. Threads as http::Exchange.
class ApiExchange final : public http::Exchange {
 public:
  ApiExchange(http::ExchangePtr inner, Edge& edge);
  ~ApiExchange() override;
  ApiExchange(const ApiExchange&) = delete;
  ApiExchange& operator=(const ApiExchange&) = delete;

  /// Before the handler runs: the answer of a known endpoint gets the standard headers and is
  /// counted under `pattern` and `method`, constants of the program.
  void matched(std::string_view pattern, std::string_view method) {
    pattern_ = pattern;
    method_ = method;
    standard_headers_ = true;
  }

  [[nodiscard]] const http::Request& request() const override { return inner_->request(); }
  void readBody(std::size_t limit, std::function<void(Result<std::string>)> done) override {
    inner_->readBody(limit, std::move(done));
  }
  std::shared_ptr<net::Stream> bodyStream() override { return inner_->bodyStream(); }
  void respond(http::Response response) override;
  std::shared_ptr<net::Stream> open(http::Response head) override;
  std::shared_ptr<net::Stream> hijack(std::string head) override;
  void onClientGone(std::function<void()> fn) override { inner_->onClientGone(std::move(fn)); }

 private:
  void decorate(http::Response& response) const;
  /// Counts, once.
  void answered(int status);
  void countDown();

  const http::ExchangePtr inner_;
  Edge& edge_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string_view pattern_ = "unmatched";
  std::string_view method_ = "any";
  bool standard_headers_ = false;
  std::atomic<bool> answered_{false};
};

}  // namespace flotilla::gateway
