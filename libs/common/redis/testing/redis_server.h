#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/process.h"

namespace flotilla::testing {

/// A redis-server of a test's own, in a folder of its own, on a unix socket; ended and removed with
/// the object. For tests that may skip when the program is not installed.
class RedisServer {
 public:
  struct Options {
    std::vector<std::string> settings = {};  // more of its command line, e.g. "--requirepass", "x"
    bool append_only = false;                // keeps its data over a kill
  };

  static bool installed();
  /// Started and answering. Errors: what is wrong with starting it.
  static Result<std::unique_ptr<RedisServer>> start(Options options);
  static Result<std::unique_ptr<RedisServer>> start() { return start(Options{}); }

  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string socket() const { return folder_ + "/redis.sock"; }
  [[nodiscard]] std::string url() const { return "unix://" + socket(); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }

  /// SIGKILL, and waits for its end.
  void kill();
  /// Runs it again over what is left in its folder.
  Result<void> restart();
  /// Its data files go; for use between kill() and restart().
  void dropData();
  void signal(int number);

 private:
  RedisServer(Options options, std::string folder)
      : options_(std::move(options)), folder_(std::move(folder)) {}
  Result<void> run();

  const Options options_;
  const std::string folder_;
  std::optional<Process> process_;
};

}  // namespace flotilla::testing
