#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/queue/job_message.h"
#include "common/queue/redis_clock.h"
#include "common/queue/redis_keys.h"
#include "common/queue/redis_queue.h"

namespace flotilla {

/// The gateway's side of RedisQueue: sends jobs, reads replies, answers for what becomes of every
/// job. Everything on the reactor's thread.
///
/// A job is Held (not in Redis: no connection, no stream yet, or room is being asked for), Sent
/// (XADD under way) or Queued (it has an entry). After a reconnect each job whose entry is gone is
/// sent again under its own id: either its reply is still in the list, or a worker answers it from
/// its ledger.
class RedisSubmitter : public std::enable_shared_from_this<RedisSubmitter> {
 public:
  RedisSubmitter(Reactor& reactor, const RedisQueueOptions& options);

  void submit(const std::string& engine_id, Job job, JobQueue::Callbacks callbacks);
  void cancel(const std::string& job_id);
  [[nodiscard]] Result<void> health() const;
  /// Ends; callbacks of outstanding jobs are dropped.
  void close();

 private:
  enum class Place { Held, Sent, Queued };
  struct Outstanding {
    std::string engine_id;
    Job job;
    JobQueue::Callbacks callbacks;
    std::chrono::milliseconds lifetime;
    Place place = Place::Held;
    std::string entry;  // when Queued
    bool established = false;
    bool cancelled = false;
    bool late = false;              // Redis went away while it may have been there: it may run
    Reactor::TimerId timer = 0;     // the end of its lifetime
    Reactor::TimerId patience = 0;  // while Held
  };
  struct Engine {
    std::size_t length = 0;  // of its stream, as far as known here
    Reactor::Clock::time_point looked{};
    bool asking = false;  // for room
    std::deque<std::string> asking_jobs;
  };

  void start();
  void connected();
  void lost();
  void heartbeat();
  Outstanding* find(const std::string& job_id);

  void dispatch(const std::string& job_id);
  void hold(const std::string& job_id);
  void askForRoom(const std::string& engine_id);
  void gotRoom(const std::string& engine_id, std::size_t length, std::size_t running);
  void send(const std::string& job_id);
  void sent(const std::string& job_id, const Result<RedisReply>& reply);
  void look(const std::string& engine_id);

  void watchLifetime(const std::string& job_id, std::chrono::milliseconds left);
  void lifetimeOver(const std::string& job_id);
  void patienceOver(const std::string& job_id);
  /// Takes the job's entry back if no worker has it, and answers `error` then.
  void withdraw(const std::string& job_id, const Error& error);
  void withdrawn(const std::string& job_id, const Result<RedisReply>& removed, const Error& error);
  /// The entry went without a reply that has come yet.
  void awaitReply(const std::string& job_id, const std::string& entry);
  /// Sends the job again if its entry is gone.
  void checkEntry(const std::string& job_id);

  void readReplies();
  void heard(std::string_view message);
  void finish(const std::string& job_id, JobResult result);
  /// Answers `error` for a job that may be in Redis, which nobody can take back now.
  void abandon(const std::string& job_id, const Error& error);
  void sendCancel(const std::string& engine_id, const std::string& job_id);
  [[nodiscard]] Error unavailable(const Error& why) const;

  Reactor& reactor_;
  const RedisQueueOptions& options_;
  const RedisKeys keys_;
  const std::string gateway_id_;
  RedisClock clock_;
  RedisConnectionPtr commands_, replies_;
  std::unordered_map<std::string, Outstanding> jobs_;
  std::unordered_map<std::string, Engine> engines_;
  std::deque<std::pair<std::string, std::string>> abandoned_;  // engine and job, to be cancelled
  std::deque<std::string> held_;  // in order of submission; may name jobs that are over
  Reactor::TimerId heartbeat_ = 0;
  Reactor::TimerId retry_ = 0;
  prometheus::Counter* bad_replies_ = nullptr;
  prometheus::Counter* resent_ = nullptr;
};

}  // namespace flotilla
