#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/http/exchange.h"

namespace flotilla::gateway {

/// An exchange without a connection, for tests of what answers with complete responses: keeps the
/// first one. Not thread-safe.
class RecordedExchange final : public http::Exchange {
 public:
  explicit RecordedExchange(http::Request request = {}) : request_(std::move(request)) {}

  [[nodiscard]] const http::Request& request() const override { return request_; }
  void readBody(std::size_t /*limit*/, std::function<void(Result<std::string>)> done) override {
    done(std::string());
  }
  std::shared_ptr<net::Stream> bodyStream() override { return nullptr; }
  void respond(http::Response response) override {
    if (!response_) {
      response_ = std::move(response);
    }
  }
  std::shared_ptr<net::Stream> open(http::Response head) override {
    respond(std::move(head));
    return nullptr;
  }
  std::shared_ptr<net::Stream> hijack(std::string /*head*/) override { return nullptr; }
  void onClientGone(std::function<void()> fn) override { on_gone_ = std::move(fn); }

  [[nodiscard]] const std::optional<http::Response>& response() const { return response_; }
  [[nodiscard]] int status() const { return response_ ? response_->status : 0; }

 private:
  http::Request request_;
  std::optional<http::Response> response_;
  std::function<void()> on_gone_;
};

}  // namespace flotilla::gateway
