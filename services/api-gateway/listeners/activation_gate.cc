#include "api-gateway/listeners/activation_gate.h"

#include <string>
#include <utility>

#include "api-gateway/http/reply.h"

namespace flotilla::gateway {
namespace {

void refuse(const http::ExchangePtr& exchange, std::string reason) {
  exchange->respond(errorResponse(Error{ErrorKind::Unavailable, std::move(reason)}));
}

}  // namespace

ActivationGate::~ActivationGate() {
  for (const auto& [number, request] : waiting_) {
    reactor_.cancelTimer(request.timer);
  }
}

void ActivationGate::pass(const http::ExchangePtr& exchange, std::function<void()> proceed) {
  switch (state_) {
    case State::Open:
      proceed();
      return;
    case State::Shut:
      refuse(exchange, shut_reason_);
      return;
    case State::Starting:
      break;
  }
  if (waiting_.size() >= options_.most_waiting) {
    refuse(exchange, "the engine is starting and too many requests wait for it already");
    return;
  }
  park(exchange, std::move(proceed));
}

void ActivationGate::park(const http::ExchangePtr& exchange, std::function<void()> proceed) {
  const std::uint64_t number = next_++;
  const auto timer = reactor_.runAfter(options_.longest_wait, [this, number] {
    auto expired = waiting_.extract(number);
    refuse(expired.mapped().exchange, "the engine is not ready yet: waited " +
                                          std::to_string(options_.longest_wait.count() / 1000) +
                                          " s");
  });
  waiting_.emplace(number, Waiting{exchange, std::move(proceed), timer});
}

void ActivationGate::open() {
  state_ = State::Open;
  for (auto& [number, request] : std::exchange(waiting_, {})) {
    reactor_.cancelTimer(request.timer);
    request.proceed();
  }
}

void ActivationGate::shut(std::string reason) {
  state_ = State::Shut;
  shut_reason_ = std::move(reason);
  for (auto& [number, request] : std::exchange(waiting_, {})) {
    reactor_.cancelTimer(request.timer);
    refuse(request.exchange, shut_reason_);
  }
}

}  // namespace flotilla::gateway
