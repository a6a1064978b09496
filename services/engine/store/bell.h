#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// Tells the workers of one host that one of them committed: a file that they write to and watch.
/// Nothing is said about what was committed; whoever waits for something looks again.
class Bell {
 public:
  /// `on_rung` runs on the reactor's thread, after rings of any worker, this one included; several
  /// may come as one. On the reactor's thread or before it runs. Errors: sysError naming the file.
  static Result<std::unique_ptr<Bell>> hang(Reactor& reactor, const std::string& path,
                                            std::function<void()> on_rung);
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// Any thread; microseconds.
  void ring() const;

 private:
  Bell(Reactor& reactor, UniqueFd file, UniqueFd watch, std::function<void()> on_rung)
      : reactor_(reactor),
        file_(std::move(file)),
        watch_(std::move(watch)),
        on_rung_(std::move(on_rung)) {}
  void heard();

  Reactor& reactor_;
  UniqueFd file_;
  UniqueFd watch_;
  std::function<void()> on_rung_;
};

}  // namespace flotilla::engine
