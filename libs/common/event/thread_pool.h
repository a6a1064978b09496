#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace flotilla {

/// A bounded set of named threads that run posted functions in order of arrival. Threads start on
/// demand up to `max_threads` and stay. Thread-safe. The destructor runs what is queued, then
/// joins.
class ThreadPool {
 public:
  struct Options {
    std::string name;  // thread name, at most 12 characters
    std::size_t max_threads = 4;
    std::size_t max_queued = 65536;
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False when the queue is full: the caller answers Unavailable.
  [[nodiscard]] bool post(std::function<void()> fn);
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t threads() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flotilla
