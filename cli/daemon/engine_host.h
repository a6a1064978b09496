#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/metrics/metrics.h"
#include "common/queue/job_queue.h"

namespace flotilla::daemon {

struct EngineHostOptions {
  std::string data_root;
  std::string exec_root;
  std::string name;
  std::vector<std::string> labels;
  std::string bip;
  std::string registry_proxy;
  int max_concurrent_downloads = 3;
  int max_download_attempts = 5;
};

/// The engine inside the embedded daemon, with the threads it lives on.
class EngineHost {
 public:
  EngineHost(EngineHostOptions options, JobQueue& queue, Metrics& metrics);
  ~EngineHost();
  EngineHost(const EngineHost&) = delete;
  EngineHost& operator=(const EngineHost&) = delete;

  /// The id under which the engine of this state folder serves jobs.
  static Result<std::string> engineId(const std::string& data_root);

  /// Opens and reconciles the store on a thread of its own, begins to serve jobs, then calls
  /// `started`, on that thread.
  void start(std::function<void(Result<void>)> started);
  /// Ends serving and joins. Containers go on. Idempotent.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flotilla::daemon
