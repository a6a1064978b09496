#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/event/thread_pool.h"
#include "common/job/job.h"
#include "common/job/job_metrics.h"

namespace flotilla {

/// Which threads run a handler. Queries and Work have pools of their own, so that 64 blocked
/// operations never delay an inspect.
enum class Lane {
  Query,  // reads: microseconds to milliseconds
  Work,   // changes: may block for the length of a start
};

/// Maps job names to handlers and runs them on their lane. handle() and handleOthers() only before
/// the first run(); run() from any thread.
///
/// A handler may complete its context before it returns or keep it and complete it later: a job
/// that waits (for an exit, for a grace period) is a state with a continuation, never a thread.
class JobEngine {
 public:
  using Handler = std::function<void(const JobContextPtr&)>;
  /// The answer to a job where it can be given at once: a look at memory, on the thread that
  /// delivers jobs, which serves every connection. nullopt: ask the handler.
  using Shortcut = std::function<std::optional<JobResult>(const Job&)>;

  /// Jobs are counted in `metrics` unless it is null.
  JobEngine(ThreadPool& queries, ThreadPool& work, Metrics* metrics = nullptr)
      : queries_(queries), work_(work), metrics_(metrics) {}

  void handle(std::string name, Lane lane, Handler handler, Shortcut shortcut = nullptr);
  /// Catch-all for unknown names. Without one they complete as NotImplemented, by name.
  void handleOthers(Lane lane, Handler handler);

  /// Never blocks. A full lane completes the job as Unavailable.
  void run(JobContextPtr context);

 private:
  struct Entry {
    Lane lane = Lane::Work;
    Handler handler;
    Shortcut shortcut;
    std::unique_ptr<JobMetrics> metrics;
  };

  ThreadPool& queries_;
  ThreadPool& work_;
  Metrics* const metrics_;
  std::map<std::string, Entry, std::less<>> handlers_;
  Entry others_;
};

}  // namespace flotilla
