#pragma once

#include <functional>
#include <memory>

#include "common/http/exchange.h"
#include "common/net/stream.h"

namespace flotilla::gateway {

/// A request's body and its response as one two-way stream. The response's head is written with the
/// first byte, so that a failure before any output can still be an error response with its status.
/// On the reactor's thread.
class ResponseStream final : public net::Stream {
 public:
  ResponseStream(http::ExchangePtr exchange, http::Response head);

  /// Nothing was written: the exchange is still to be answered, also after close() or abort().
  [[nodiscard]] bool silent() const { return response_ == nullptr; }

  void start(std::function<void()> on_readable, std::function<void()> on_writable) override;
  void enableRead(bool enabled) override;
  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Result<std::size_t> write(std::string_view bytes) override;
  void shutdownWrite() override;
  void close() override;
  void abort() override;

 private:
  const http::ExchangePtr exchange_;
  http::Response head_;
  std::function<void()> on_writable_;
  const net::StreamPtr body_;
  net::StreamPtr response_;  // null until the first byte
};

}  // namespace flotilla::gateway
