#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/os/process.h"
#include "common/os/unique_fd.h"

namespace flotilla::daemon {

struct ProxyHostOptions {
  std::string socket;  // where the engine finds the proxy
  std::string cache_folder;
  std::string cache_size = "0";
  std::string user = "nobody";
  std::vector<std::string> mirrors, insecure;
  std::string log_level = "info", log_format = "text";
};

/// The registry proxy of the embedded daemon: a process without privileges, since it reads what
/// strangers send. Started when somebody connects to its socket, gone when unused, started again
/// when it dies. On the reactor's thread, or before it runs.
class ProxyHost {
 public:
  ProxyHost(ProxyHostOptions options, Reactor& reactor)
      : options_(std::move(options)), reactor_(reactor) {}
  /// Ends the process.
  ~ProxyHost();
  ProxyHost(const ProxyHost&) = delete;
  ProxyHost& operator=(const ProxyHost&) = delete;

  /// Binds the socket. Errors: those of listening.
  Result<void> listen();

 private:
  Result<void> waitForClient();
  void start();
  Result<Process> spawn() const;
  void ended();
  void turnAway();
  void waitLater();

  const ProxyHostOptions options_;
  Reactor& reactor_;
  UniqueFd listener_;
  std::optional<Process> process_;
  std::chrono::steady_clock::time_point started_;
  Reactor::TimerId timer_ = 0;
};

}  // namespace flotilla::daemon
