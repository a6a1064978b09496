#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// Tells followers that a log's directory has news: one inotify descriptor for all of them, one
/// kernel watch a directory. On the reactor's thread only; outlives its subscriptions.
class LogWatch {
 public:
  using Id = std::uint64_t;

  /// Errors: Internal.
  static Result<std::unique_ptr<LogWatch>> create(Reactor& reactor);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  /// Runs `on_change` after every write, rotation or creation in the directory of `log_path`. What
  /// happened before is not told: read after subscribing. Errors: NotFound, Internal.
  Result<Id> subscribe(const std::string& log_path, std::function<void()> on_change);
  void unsubscribe(Id id);

 private:
  struct Subscription {
    int watch = -1;
    std::function<void()> on_change;
  };

  LogWatch(Reactor& reactor, UniqueFd fd) : reactor_(reactor), fd_(std::move(fd)) {}
  void onReadable();
  void notify(int watch);

  Reactor& reactor_;
  UniqueFd fd_;
  Id next_ = 1;
  std::map<Id, Subscription> subscriptions_;
  std::multimap<int, Id> by_watch_;
};

}  // namespace flotilla::engine
