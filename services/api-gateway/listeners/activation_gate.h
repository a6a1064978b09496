#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/event/reactor.h"
#include "common/http/exchange.h"

namespace flotilla::gateway {

/// Holds requests from the moment the listeners are bound until what this process owns is ready, so
/// that a client that comes during start-up waits instead of failing (decisions.md 21). On the
/// reactor's thread.
class ActivationGate {
 public:
  struct Options {
    std::chrono::milliseconds longest_wait{std::chrono::seconds(60)};
    std::size_t most_waiting = 4096;
  };

  ActivationGate(Reactor& reactor, Options options) : reactor_(reactor), options_(options) {}
  ~ActivationGate();
  ActivationGate(const ActivationGate&) = delete;
  ActivationGate& operator=(const ActivationGate&) = delete;

  /// Runs `proceed` at once when open, else when it opens. A request that waited too long, or found
  /// too many waiting, is answered 503.
  void pass(const http::ExchangePtr& exchange, std::function<void()> proceed);

  void open();
  /// Answers whoever waits, and whoever comes, 503 with `reason`. For the way down.
  void shut(std::string reason);

  [[nodiscard]] bool isOpen() const { return state_ == State::Open; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  enum class State { Starting, Open, Shut };
  struct Waiting {
    http::ExchangePtr exchange;
    std::function<void()> proceed;
    Reactor::TimerId timer = 0;
  };

  void park(const http::ExchangePtr& exchange, std::function<void()> proceed);

  Reactor& reactor_;
  const Options options_;
  State state_ = State::Starting;
  std::string shut_reason_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, Waiting> waiting_;  // in order of arrival
};

}  // namespace flotilla::gateway
