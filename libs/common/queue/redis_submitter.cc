#include "common/queue/redis_submitter.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "common/os/random.h"
#include "common/queue/queue_errors.h"

namespace flotilla {
namespace {

using std::chrono::milliseconds;
using Place = OutstandingJob::Place;

constexpr std::chrono::seconds kRetryAfter{1};
constexpr milliseconds kLifetimeMargin{25};  // a worker's idea of Redis' clock may be off by this

Error queueFailed(const Error& why) {
  return Error{ErrorKind::Unavailable, "job queue: " + why.message()}.retryIn(kRetryAfter);
}

}  // namespace

RedisSubmitter::RedisSubmitter(Reactor& reactor, const RedisQueueOptions& options)
    : side_(reactor, options, options.gateway_id.empty() ? randomHex(8) : options.gateway_id),
      presence_(side_),
      queues_(side_, {.waits =
                          [this](const std::string& job_id) {
                            const OutstandingJob* job = jobs_.find(job_id);
                            return job != nullptr && job->place == Place::Held;
                          },
                      .send = [this](const std::string& job_id) { send(job_id); },
                      .held = [this](const std::string& job_id) { beginPatience(job_id); },
                      .full =
                          [this](const std::string& job_id, const std::string& engine_id) {
                            finish(job_id, queueFull(engine_id).retryIn(kRetryAfter));
                          }}),
      entries_(side_),
      replies_(side_, {.on_reply = [this](JobReply reply) { replied(std::move(reply)); },
                       // A reply that was popped into a connection that broke is lost.
                       .on_ready = [this] { checkEntries(); }}),
      jobs_(reactor) {
  if (options.metrics != nullptr) {
    resent_ = &options.metrics->counter("flotilla_queue_resent_jobs_total",
                                        "Jobs sent again after a reconnect");
  }
  side_.commands =
      side_.connection("gateway", side_.gateway_id,
                       {.on_ready = side_.guard([this] { connected(); }),
                        .on_lost = side_.guard([this](const Error& why) { lost(why); })});
}

/// With the first job: who only serves needs no gateway's connections.
void RedisSubmitter::start() {
  side_.guard.belongTo(weak_from_this());
  side_.commands->start();
  replies_.start();
}

Result<void> RedisSubmitter::health() const {
  if (started_ && !side_.commands->ready()) {
    return side_.commands->lastError();
  }
  return {};
}

void RedisSubmitter::close() {
  side_.guard.close();
  jobs_.clear();
  side_.commands->close();
  replies_.close();
}

void RedisSubmitter::connected() {
  presence_.connected();
  for (const auto& [id, job] : jobs_) {
    if (job.cancelled) {
      presence_.cancel(job.engine_id, id);  // that it was said before may be lost
    }
  }
  checkEntries();
  queues_.connected();
}

void RedisSubmitter::lost(const Error& why) {
  log::warning("job queue is away", {{"error", why.message()}});
  queues_.lost();
  // What runs is waited for, but not for ever while nobody can tell how it goes.
  for (auto& [id, job] : jobs_) {
    if (job.timer == 0 && !job.established) {
      watchLifetime(id, job.lifetime);
    }
  }
}

void RedisSubmitter::submit(const std::string& engine_id, Job job, JobQueue::Callbacks callbacks) {
  if (!std::exchange(started_, true)) {
    start();
  }
  const std::string id = job.id;
  if (jobs_.find(id) != nullptr) {
    return callbacks.on_result(runsAlready(id));
  }
  const auto lifetime = job.lifetime.value_or(side_.options.default_lifetime);
  jobs_.add(id, {.engine_id = engine_id,
                 .job = std::move(job),
                 .callbacks = std::move(callbacks),
                 .lifetime = lifetime});
  watchLifetime(id, lifetime + kLifetimeMargin);
  queues_.enter(engine_id, id);
}

void RedisSubmitter::send(const std::string& job_id) {
  OutstandingJob& job = *jobs_.find(job_id);
  job.place = Place::Sent;
  queues_.grew(job.engine_id);
  const std::string text = encodeJob({.engine_id = job.engine_id,
                                      .gateway_id = side_.gateway_id,
                                      .issued_ms = presence_.clock().nowMs(),
                                      .lifetime_ms = job.lifetime.count(),
                                      .job = job.job});
  const std::string mac = side_.options.key.sign(kJobPurpose, text);
  // Workers make the stream: a job for an engine that never was leaves nothing behind.
  side_.ask({"XADD", side_.keys.jobs(job.engine_id), "NOMKSTREAM", "*", "job", text, "mac", mac},
            [this, job_id](const Result<RedisReply>& reply) { sent(job_id, reply); });
}

void RedisSubmitter::sent(const std::string& job_id, const Result<RedisReply>& reply) {
  OutstandingJob* job = jobs_.find(job_id);
  if (job == nullptr) {
    return;  // answered or given up already
  }
  if (!reply || !reply->isNil()) {
    side_.reactor.cancelTimer(std::exchange(job->patience, 0));  // else there is no stream, still
  }
  if (reply && !reply->isNil()) {
    job->place = Place::Queued;
    job->entry = reply->text;
    if (job->cancelled) {
      withdraw(job_id, clientGone());
    }
    return;
  }
  if (!reply && side_.commands->ready()) {
    return finish(job_id, queueFailed(reply.error()));  // the server's refusal, by name
  }
  job->place = Place::Held;
  if (reply) {
    queues_.holdForStream(job->engine_id, job_id);
  } else {
    // Perhaps it arrived, perhaps not: it is sent again under its id, unless its time ends first.
    job->late = true;
    queues_.hold(job->engine_id, job_id);
  }
}

void RedisSubmitter::checkEntries() {
  for (const auto& [id, job] : jobs_) {
    if (job.place == Place::Queued && side_.commands->ready()) {
      entries_.ifGone(job.engine_id, job.entry, [this, id = id, entry = job.entry] {
        const OutstandingJob* waiting = jobs_.find(id);
        if (waiting != nullptr && waiting->entry == entry) {
          sendAgain(id);
        }
      });
    }
  }
}

void RedisSubmitter::sendAgain(const std::string& job_id) {
  if (resent_ != nullptr) {
    resent_->Increment();
  }
  OutstandingJob& job = *jobs_.find(job_id);
  job.place = Place::Held;
  job.entry.clear();
  queues_.enter(job.engine_id, job_id);
}

void RedisSubmitter::beginPatience(const std::string& job_id) {
  OutstandingJob* job = jobs_.find(job_id);
  if (job != nullptr && job->patience == 0) {
    job->patience = side_.after(std::min(side_.options.patience, job->lifetime),
                                [this, job_id] { patienceOver(job_id); });
  }
}

void RedisSubmitter::patienceOver(const std::string& job_id) {
  OutstandingJob* job = jobs_.find(job_id);
  if (job == nullptr) {
    return;
  }
  job->patience = 0;
  if (job->place != Place::Held) {
    return;  // it is tried just now, and waits anew should that fail
  }
  finish(job_id, side_.commands->ready() ? notServed(job->engine_id).retryIn(kRetryAfter)
                                         : queueFailed(side_.commands->lastError()));
}

void RedisSubmitter::watchLifetime(const std::string& job_id, milliseconds left) {
  jobs_.find(job_id)->timer = side_.after(left, [this, job_id] { lifetimeOver(job_id); });
}

/// The job may not be started any more. One that runs already is waited for as long as it takes.
void RedisSubmitter::lifetimeOver(const std::string& job_id) {
  OutstandingJob* job = jobs_.find(job_id);
  if (job == nullptr) {
    return;
  }
  job->timer = 0;
  if (job->established) {
    return;
  }
  const bool connected = side_.commands->ready();
  if (!connected && job->place == Place::Queued && !std::exchange(job->late, true)) {
    return watchLifetime(job_id, side_.options.patience);  // it may run: the next moments may tell
  }
  if (!connected || job->place != Place::Queued) {
    return abandon(job_id,
                   queueFailed(connected ? Error{ErrorKind::Unavailable, "no answer in time"}
                                         : side_.commands->lastError()));
  }
  entries_.askServed(job->engine_id, [this, job_id, engine_id = job->engine_id](bool served) {
    withdraw(job_id, served ? notTakenInTime() : notServed(engine_id));
  });
}

void RedisSubmitter::cancel(const std::string& job_id) {
  OutstandingJob* job = jobs_.find(job_id);
  if (job == nullptr) {
    return;
  }
  if (job->place == Place::Held || !side_.commands->ready()) {
    return abandon(job_id, clientGone());
  }
  job->cancelled = true;
  presence_.cancel(job->engine_id, job_id);
  withdraw(job_id, clientGone());
}

void RedisSubmitter::abandon(const std::string& job_id, const Error& error) {
  const OutstandingJob& job = *jobs_.find(job_id);
  if (job.place != Place::Held || job.late) {
    presence_.cancel(job.engine_id, job_id);
  }
  finish(job_id, error);
}

void RedisSubmitter::withdraw(const std::string& job_id, const Error& error) {
  const OutstandingJob* job = jobs_.find(job_id);
  if (job == nullptr || job->place != Place::Queued || !side_.commands->ready()) {
    return;
  }
  entries_.takeBack(job->engine_id, job->entry,
                    [this, job_id, entry = job->entry, error](Result<JobEntries::Fate> fate) {
                      if (!fate) {
                        return notTakenBack(job_id, entry, fate.error());
                      }
                      switch (*fate) {
                        case JobEntries::Fate::Removed:
                          return finish(job_id, error);
                        case JobEntries::Fate::Gone:
                          return awaitReply(job_id, entry);
                        case JobEntries::Fate::AtWorker:
                          return;
                      }
                    });
}

void RedisSubmitter::notTakenBack(const std::string& job_id, const std::string& entry,
                                  const Error& why) {
  const OutstandingJob* job = jobs_.find(job_id);
  if (side_.commands->ready() && job != nullptr && job->entry == entry) {
    abandon(job_id, queueFailed(why));  // refused; else the reconnect looks after it
  }
}

/// The entry is gone: its reply is on the way; or a worker refused it, and nobody will ever answer.
void RedisSubmitter::awaitReply(const std::string& job_id, const std::string& entry) {
  side_.after(side_.options.patience, [this, job_id, entry] {
    const OutstandingJob* job = jobs_.find(job_id);
    const bool connected = side_.commands->ready() && replies_.ready();
    if (!connected || job == nullptr || job->entry != entry || job->established) {
      return;  // the reconnect looks after it, or it was answered, or is sent again
    }
    abandon(job_id, leftUnanswered(job->engine_id));
  });
}

void RedisSubmitter::replied(JobReply reply) {
  if (auto* result = std::get_if<JobResult>(&reply.content)) {
    return finish(reply.job_id, std::move(*result));
  }
  OutstandingJob* job = jobs_.find(reply.job_id);
  if (job == nullptr || std::exchange(job->established, true) || !job->callbacks.on_established) {
    return;  // over, or told already by an earlier attempt
  }
  const auto on_established = job->callbacks.on_established;
  on_established(std::get<Established>(std::move(reply.content)));
}

void RedisSubmitter::finish(const std::string& job_id, JobResult result) {
  const auto job = jobs_.take(job_id);
  if (!job) {
    // Its client had to be told something else, or it was answered before.
    log::debug("a result came too late", {{"job", job_id}, {"ok", result ? "true" : "false"}});
    return;
  }
  if (job->place != Place::Held) {
    queues_.shrank(job->engine_id);
  }
  if (job->callbacks.on_result) {
    job->callbacks.on_result(std::move(result));
  }
}

}  // namespace flotilla
