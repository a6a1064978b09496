#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api-gateway/cluster/queue_engine.h"
#include "api-gateway/gateway_service.h"
#include "api-gateway/testing/raw_client.h"
#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/queue/memory_queue.h"
#include "common/stream/stream_server.h"

namespace flotilla::gateway {

/// A real gateway on a unix socket in front of a memory queue whose jobs are done by the test.
class GatewayFixture : public ::testing::Test {
 protected:
  GatewayFixture();
  ~GatewayFixture() override;

  /// Before start(). Handlers run on threads of a pool; jobs without one are recorded and completed
  /// with an empty result.
  void handle(std::string name, JobEngine::Handler handler);
  /// A handler that completes with this document.
  void answer(std::string name, std::string body);
  void fail(std::string name, Error error);

  /// Starts the gateway; `open` says whether its gate is opened too.
  enum class Gate { Open, Closed };
  void start(Gate gate = Gate::Open);
  GatewayOptions& options() { return options_; }
  GatewayService& gateway() { return *gateway_; }
  Reactor& reactor() { return *reactor_; }
  StreamServer& streams() { return *streams_; }
  JobQueue& queue() { return *queue_; }
  Metrics& metrics() { return metrics_; }
  /// Runs `fn` on the reactor's thread and waits for it.
  void onLoop(std::function<void()> fn);

  [[nodiscard]] RawClient connect() const { return RawClient(socketPath()); }
  [[nodiscard]] std::string socketPath() const { return folder_ + "/gateway.sock"; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// One request on a connection of its own.
  RawClient::Answer call(std::string_view method, std::string_view target,
                         std::string_view body = {}, std::string_view headers = {}) const;

  /// The last job that came, whatever did it.
  Job lastJob();
  /// Waits until `condition` holds; false after 10 s.
  static bool eventually(const std::function<bool()>& condition);

 private:
  void record(const Job& job);

  std::string folder_;
  std::unique_ptr<Reactor> reactor_;
  ThreadPool queries_{{.name = "queries", .max_threads = 2}};
  ThreadPool work_{{.name = "work", .max_threads = 4}};
  JobEngine engine_{queries_, work_};
  std::unique_ptr<MemoryQueue> queue_;
  std::unique_ptr<QueueEngine> cluster_;
  std::unique_ptr<StreamServer> streams_;
  Metrics metrics_;
  GatewayOptions options_;
  std::unique_ptr<GatewayService> gateway_;
  std::unique_ptr<JobQueue::Subscription> subscription_;
  std::thread loop_;
  std::mutex mutex_;  // guards jobs_
  std::vector<Job> jobs_;
};

}  // namespace flotilla::gateway
