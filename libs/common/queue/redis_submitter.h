#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/queue/engine_queues.h"
#include "common/queue/gateway_presence.h"
#include "common/queue/job_entries.h"
#include "common/queue/job_message.h"
#include "common/queue/outstanding_jobs.h"
#include "common/queue/redis_queue.h"
#include "common/queue/redis_side.h"
#include "common/queue/reply_reader.h"

namespace flotilla {

/// The gateway's side of RedisQueue: sends jobs, whose turn EngineQueues tells, and answers for
/// what becomes of every one: a worker does (ReplyReader), or its time ends and its entry is taken
/// back (JobEntries). Everything on the reactor's thread.
///
/// After a reconnect each job whose entry is gone is sent again under its own id: either its reply
/// is still in the list, or a worker answers it from its ledger.
class RedisSubmitter : public std::enable_shared_from_this<RedisSubmitter> {
 public:
  RedisSubmitter(Reactor& reactor, const RedisQueueOptions& options);

  void submit(const std::string& engine_id, Job job, JobQueue::Callbacks callbacks);
  void cancel(const std::string& job_id);
  [[nodiscard]] Result<void> health() const;
  /// Ends; callbacks of outstanding jobs are dropped.
  void close();

 private:
  void start();
  void connected();
  void lost(const Error& why);

  void send(const std::string& job_id);
  void sent(const std::string& job_id, const Result<RedisReply>& reply);
  /// Sends every job again whose entry is gone.
  void checkEntries();
  void sendAgain(const std::string& job_id);

  void beginPatience(const std::string& job_id);
  void patienceOver(const std::string& job_id);
  void watchLifetime(const std::string& job_id, std::chrono::milliseconds left);
  void lifetimeOver(const std::string& job_id);
  /// Takes the job's entry back if no worker has it, and answers `error` then.
  void withdraw(const std::string& job_id, const Error& error);
  void notTakenBack(const std::string& job_id, const std::string& entry, const Error& why);
  void awaitReply(const std::string& job_id, const std::string& entry);

  void replied(JobReply reply);
  void finish(const std::string& job_id, JobResult result);
  /// Answers `error` for a job that may be in Redis, which nobody can take back now.
  void abandon(const std::string& job_id, const Error& error);

  GatewaySide side_;
  GatewayPresence presence_;
  EngineQueues queues_;
  JobEntries entries_;
  ReplyReader replies_;
  OutstandingJobs jobs_;
  prometheus::Counter* resent_ = nullptr;
  bool started_ = false;
};

}  // namespace flotilla
