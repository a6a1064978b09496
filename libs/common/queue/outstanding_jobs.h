#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/event/reactor.h"
#include "common/queue/job_queue.h"

namespace flotilla {

/// A job from submit to its result.
struct OutstandingJob {
  enum class Place {
    Held,    // not in Redis: it waits in EngineQueues
    Sent,    // on its way there
    Queued,  // it has an entry
  };

  std::string engine_id;
  Job job;
  JobQueue::Callbacks callbacks;
  std::chrono::milliseconds lifetime;
  Place place = Place::Held;
  std::string entry = {};  // when Queued
  bool established = false;
  bool cancelled = false;
  bool late = false;              // Redis went away while it may have been there: it may run
  Reactor::TimerId timer = 0;     // the end of its lifetime
  Reactor::TimerId patience = 0;  // while Held
};

/// A gateway's outstanding jobs by id, with their timers. On the reactor's thread.
class OutstandingJobs {
 public:
  explicit OutstandingJobs(Reactor& reactor) : reactor_(reactor) {}

  /// Null when it is over.
  OutstandingJob* find(const std::string& id) {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
  }
  void add(const std::string& id, OutstandingJob job) { jobs_.emplace(id, std::move(job)); }
  /// It is over; its timers end.
  std::optional<OutstandingJob> take(const std::string& id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
      return std::nullopt;
    }
    stopTimers(found->second);
    std::optional<OutstandingJob> job(std::move(found->second));
    jobs_.erase(found);
    return job;
  }
  void clear() {
    for (const auto& [id, job] : jobs_) {
      stopTimers(job);
    }
    jobs_.clear();
  }

  [[nodiscard]] auto begin() const { return jobs_.begin(); }
  [[nodiscard]] auto end() const { return jobs_.end(); }

 private:
  void stopTimers(const OutstandingJob& job) {
    reactor_.cancelTimer(job.timer);
    reactor_.cancelTimer(job.patience);
  }

  Reactor& reactor_;
  std::unordered_map<std::string, OutstandingJob> jobs_;
};

}  // namespace flotilla
