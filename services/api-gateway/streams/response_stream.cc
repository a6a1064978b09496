#include "api-gateway/streams/response_stream.h"

#include <utility>

namespace flotilla::gateway {

ResponseStream::ResponseStream(http::ExchangePtr exchange, http::Response head,
                               std::function<void()> ended_silent)
    : exchange_(std::move(exchange)),
      head_(std::move(head)),
      ended_silent_(std::move(ended_silent)),
      body_(exchange_->bodyStream()) {}

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
    ended_silent_ = nullptr;
    response_ = exchange_->open(std::move(head_));
    response_->start([] {}, on_writable_);
    response_->enableRead(false);
  }
  return response_->write(bytes);
}

void ResponseStream::shutdownWrite() {
  if (response_) {
    response_->shutdownWrite();
  } else {
    endSilent();
  }
}

void ResponseStream::close() {
  body_->close();
  on_writable_ = nullptr;
  if (response_) {
    response_->close();
  } else {
    endSilent();
  }
}

void ResponseStream::abort() {
  body_->close();
  on_writable_ = nullptr;
  if (response_) {
    response_->abort();
  } else {
    endSilent();
  }
}

void ResponseStream::endSilent() {
  if (auto ended = std::exchange(ended_silent_, nullptr)) {
    ended();
  }
}

}  // namespace flotilla::gateway
