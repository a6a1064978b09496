#pragma once

#include <string>
#include <unordered_map>

#include "common/queue/redis_side.h"
#include "common/queue/running_jobs.h"

namespace flotilla {

/// Hears whose clients are gone and cancels the jobs that run here. On the reactor's thread.
class CancelListener {
 public:
  CancelListener(EngineSide& side, RunningJobs& running);

  void start() { listener_->start(); }
  void close() { listener_->close(); }
  /// Whether cancellations arrive now. What is missed is asked for when they do again.
  [[nodiscard]] bool listening() const { return listening_; }
  /// Redis answers again: asks for what was missed meanwhile.
  void connected() { recheck(); }
  /// Whether the job was cancelled lately, before it came here. Forgets that.
  bool takeRecent(const std::string& job_id) { return recent_.erase(job_id) > 0; }

 private:
  void pushed(const RedisReply& reply);
  void cancel(const std::string& job_id);
  void remember(const std::string& job_id);
  void recheck();

  EngineSide& side_;
  RunningJobs& running_;
  const RedisConnectionPtr listener_;
  bool listening_ = false;
  std::unordered_map<std::string, Reactor::Clock::time_point> recent_;
  Reactor::Clock::time_point forgot_{};  // when old ones of recent_ last went
};

}  // namespace flotilla
