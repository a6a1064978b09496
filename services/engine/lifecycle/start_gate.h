#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <utility>

namespace flotilla::engine {

/// Lets a few containers be set up at a time, in the order they asked. The kernel does most of a
/// start under locks of its own: more of them at once only take the processors from each other, and
/// the unlucky ones wait for the whole crowd. Thread-safe.
class StartGate {
 public:
  class Turn {
   public:
    explicit Turn(StartGate* gate) : gate_(gate) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn(Turn&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    StartGate* gate_;
  };

  explicit StartGate(std::size_t places) : free_(places) {}

  /// Blocks until it is this caller's turn, which ends with the result. Nobody waits longer than
  /// `patience`: behind starts that hang, the others go ahead without a turn.
  [[nodiscard]] Turn take(std::chrono::milliseconds patience = std::chrono::seconds(5));

 private:
  struct Waiter {
    std::condition_variable called;
    bool has_turn = false;
  };

  void release();

  std::mutex mutex_;  // guards all below
  std::size_t free_;
  std::list<Waiter*> waiting_;
};

}  // namespace flotilla::engine
