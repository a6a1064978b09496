#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api-gateway/cluster/memory_directory.h"
#include "api-gateway/cluster/swarm_cluster.h"
#include "api-gateway/cluster/testing/fake_engine.h"
#include "common/queue/memory_queue.h"

namespace flotilla::gateway {

/// A cluster over engines in memory, with short times.
class ClusterFixture : public ::testing::Test {
 protected:
  ClusterFixture();
  ~ClusterFixture() override;

  /// Makes an engine at address "<name>:1" and lets the directory know it; `id` "" is "id-<name>".
  FakeEngine& engine(const std::string& name, const std::string& id = "");
  /// Discovery lists exactly these engines from now on.
  void list(const std::vector<std::string>& names);
  /// Starts the cluster with all engines made so far, and waits until they are healthy.
  void start();
  /// Starts it and waits only until it says that it is ready.
  void startUnchecked();

  /// The cluster goes while engines, queue and directory stay.
  void end();

  SwarmOptions& options() { return options_; }
  SwarmCluster& cluster() { return *cluster_; }

  /// What a job came to.
  struct Outcome;
  std::shared_ptr<Outcome> submit(Job job);
  /// Waits for the result.
  JobResult call(Job job);
  JobResult call(const std::string& name, std::vector<std::string> args = {},
                 std::map<std::string, std::string> env = {}, std::string body = "");
  json::Json document(const JobResult& result);
  /// Creates a container of image "busybox" and returns its id; "" when refused.
  std::string create(const std::string& name, const std::string& body = R"({"Image":"busybox"})");
  /// The error's message, or what the result was.
  static std::string message(const JobResult& result);

  /// Rows of info of one host: "Status" and so on.
  std::map<std::string, std::string> infoOf(const std::string& name);
  bool becomes(const std::string& name, const std::string& status);

  void onLoop(std::function<void()> fn);
  static bool eventually(const std::function<bool()>& condition);

  Reactor& reactor() { return *reactor_; }
  StreamServer& streams() { return *streams_; }
  MemoryDirectory& directory() { return *directory_; }

 private:
  class ListedDiscovery;

  std::string folder_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<MemoryQueue> queue_;
  std::unique_ptr<StreamServer> engine_streams_, streams_;
  std::unique_ptr<MemoryDirectory> directory_;
  std::unique_ptr<ListedDiscovery> discovery_;
  std::map<std::string, std::unique_ptr<FakeEngine>> engines_;
  SwarmOptions options_;
  std::unique_ptr<SwarmCluster> cluster_;
  std::thread loop_;
  std::atomic<bool> ready_ = false;
  int serial_ = 0;
};

struct ClusterFixture::Outcome {
  std::string job_id;
  std::atomic<bool> established = false;
  std::optional<StreamEndpoint> stream;  // once established
  JobEnv env;                            // likewise
  std::promise<JobResult> promise;
  std::future<JobResult> future = promise.get_future();
  [[nodiscard]] bool finished() const {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
};

}  // namespace flotilla::gateway
