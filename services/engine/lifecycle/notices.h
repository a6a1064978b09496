#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"

namespace flotilla::engine {

/// "Call me when that has happened, or when the time is over": continuations by key (the id of a
/// container that stops, of an exec that ends), so that nothing that waits holds a thread.
/// Callbacks run on the pool. Thread-safe; outlives the reactor's run.
class Notices {
 public:
  enum class Outcome { Happened, TimedOut };
  using Callback = std::function<void(Outcome)>;
  using Id = std::uint64_t;

  Notices(Reactor& reactor, ThreadPool& pool) : reactor_(reactor), pool_(pool) {}

  /// To close the race with what is awaited, register first, then look whether it has happened
  /// already and call happened() if so.
  Id when(const std::string& key, std::optional<std::chrono::milliseconds> timeout,
          Callback callback);
  /// The callback will not run, unless it has been handed to the pool already.
  void cancel(Id id);
  void happened(const std::string& key);
  /// Keys that somebody waits for, each once.
  [[nodiscard]] std::vector<std::string> awaited();
  /// Expires with this, for whoever may outlive it and cancels then.
  [[nodiscard]] std::weak_ptr<const void> life() const { return life_; }

 private:
  struct Entry {
    std::string key;
    Callback callback;
  };

  void fire(Id id, Outcome outcome);

  Reactor& reactor_;
  ThreadPool& pool_;
  const std::shared_ptr<const void> life_ = std::make_shared<char>();
  std::mutex mutex_;  // guards what follows
  Id next_ = 1;
  std::map<Id, Entry> entries_;
  std::multimap<std::string, Id> by_key_;
};

}  // namespace flotilla::engine
