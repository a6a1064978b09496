#include "api-gateway/streams/response_stream.h"

#include <utility>

namespace flotilla::gateway {

ResponseStream::ResponseStream(http::ExchangePtr exchange, http::Response head)
    : exchange_(std::move(exchange)), head_(std::move(head)), body_(exchange_->bodyStream()) {}

void ResponseStream::start(std::function<void()> on_readable, std::function<void()> on_writable) {
  on_writable_ = std::move(on_writable);
  body_->start(std::move(on_readable), [] {});
}

void ResponseStream::enableRead(bool enabled) { body_->enableRead(enabled); }

Result<std::size_t> ResponseStream::read(char* buffer, std::size_t size) {
  return body_->read(buffer, size);
}

Result<std::size_t> ResponseStream::write(std::string_view bytes) {
  if (!response_) {
    response_ = exchange_->open(std::move(head_));
    response_->start([] {}, on_writable_);
    response_->enableRead(false);
  }
  return response_->write(bytes);
}

void ResponseStream::shutdownWrite() {
  if (response_) {
    response_->shutdownWrite();
  }
}

void ResponseStream::close() {
  body_->close();
  on_writable_ = nullptr;
  if (response_) {
    response_->close();
  }
}

void ResponseStream::abort() {
  body_->close();
  on_writable_ = nullptr;
  if (response_) {
    response_->abort();
  }
}

}  // namespace flotilla::gateway
