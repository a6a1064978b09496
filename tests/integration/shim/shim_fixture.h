#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/os/unique_fd.h"
#include "engine/runtime/journal.h"
#include "engine/runtime/shim_client.h"

namespace flotilla::engine {

/// Output of one attached stream, split by channel.
struct Output {
  std::string out, err, system;
};

/// A connected stream of a shim, as a gateway would have it.
class StreamClient {
 public:
  /// Fails the test when the endpoint cannot be reached.
  explicit StreamClient(const StreamEndpoint& endpoint);

  void send(std::string_view bytes);
  void halfClose();
  void close() { fd_.reset(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Everything until the end of the stream; demultiplexed unless `raw`. Fails after `limit`.
  Output readAll(bool raw = false, std::chrono::seconds limit = std::chrono::seconds(30));
  /// Reads raw bytes until `text` was seen (all that was read is returned).
  std::string readUntil(const std::string& text,
                        std::chrono::seconds limit = std::chrono::seconds(10));

 private:
  bool readable(std::chrono::steady_clock::time_point deadline);
  UniqueFd fd_;
};

/// A busybox container made by hand (own bundle, overlay, run directory) and its shim.
class ShimTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Writes config.json for `args`; `edit` may change it.
  void makeBundle(const std::vector<std::string>& args,
                  const std::function<void(nlohmann::json&)>& edit = nullptr);
  void launch();
  /// Starts the container and returns init's pid.
  int go();
  StreamEndpoint attachBeforeStart(bool with_stdin = false);
  /// Waits for a line of this kind (newest run); fails the test after `limit`.
  JournalLine waitFor(JournalLine::What what, std::chrono::seconds limit = std::chrono::seconds(15),
                      unsigned run = 0);
  /// Waits until the shim has released its lock.
  void waitGone();
  std::string writeExec(const std::vector<std::string>& args,
                        const std::function<void(nlohmann::json&)>& edit = nullptr);
  /// Runs `args` by exec and returns output and exit code.
  std::pair<Output, int> exec(const std::vector<std::string>& args, bool tty = false);
  [[nodiscard]] std::string log() const;

  ShimClient& client() { return *client_; }
  std::string base_, run_dir_, log_path_, journal_;
  std::string id_, cgroup_;
  shim::LaunchSpec spec_;

 private:
  std::optional<ShimClient> client_;
  int execs_ = 0;
};

std::string readWhole(const std::string& path);
/// Polls until `done` or the limit. True when done.
bool eventually(const std::function<bool()>& done,
                std::chrono::milliseconds limit = std::chrono::seconds(10));
/// Directories of the container left in any cgroup hierarchy.
std::vector<std::string> cgroupLeftovers(const std::string& cgroup);

}  // namespace flotilla::engine
