#include "common/queue/redis_submitter.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "common/os/random.h"

namespace flotilla {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kHeartbeat{5};
constexpr std::chrono::seconds kLookAgain{1};
constexpr std::chrono::seconds kRetryAfter{1};
constexpr milliseconds kNoStreamRetry{50};
constexpr milliseconds kLifetimeMargin{25};  // a worker's idea of Redis' clock may be off by this
constexpr milliseconds kBlock{4'000};
constexpr std::chrono::seconds kBlockLimit{9};
constexpr const char* kBatch = "256";

Error clientGone() {
  return {ErrorKind::Unavailable, "the client went away before the job started"};
}

}  // namespace

RedisSubmitter::RedisSubmitter(Reactor& reactor, const RedisQueueOptions& options)
    : reactor_(reactor),
      options_(options),
      keys_(options.cluster),
      gateway_id_(options.gateway_id.empty() ? randomHex(8) : options.gateway_id) {
  if (options.metrics != nullptr) {
    bad_replies_ = &options.metrics->counter("flotilla_queue_bad_replies_total",
                                             "Replies refused: not signed");
    resent_ = &options.metrics->counter("flotilla_queue_resent_jobs_total",
                                        "Jobs sent again after a reconnect");
  }
}

void RedisSubmitter::start() {
  const auto weak = weak_from_this();
  const auto guarded = [weak](void (RedisSubmitter::*method)()) {
    return [weak, method] {
      if (const auto self = weak.lock()) {
        (self.get()->*method)();
      }
    };
  };
  commands_ = RedisConnection::create(
      reactor_, {.target = options_.target, .name = "flotilla-gateway-" + gateway_id_},
      {.on_ready = guarded(&RedisSubmitter::connected), .on_lost = [weak](const Error& why) {
         if (const auto self = weak.lock()) {
           log::warning("job queue is away", {{"error", why.message()}});
           self->lost();
         }
       }});
  replies_ = RedisConnection::create(
      reactor_, {.target = options_.target, .name = "flotilla-replies-" + gateway_id_},
      {.on_ready = [weak] {
        const auto self = weak.lock();
        if (!self) {
          return;
        }
        self->readReplies();
        // A reply that was popped into a connection that broke is lost.
        for (auto& [id, job] : self->jobs_) {
          self->checkEntry(id);
        }
      }});
  commands_->start();
  replies_->start();
}

Result<void> RedisSubmitter::health() const {
  if (commands_ && !commands_->ready()) {
    return commands_->lastError();
  }
  return {};
}

void RedisSubmitter::close() {
  for (const auto& [id, job] : jobs_) {
    reactor_.cancelTimer(job.timer);
    reactor_.cancelTimer(job.patience);
  }
  jobs_.clear();
  reactor_.cancelTimer(heartbeat_);
  reactor_.cancelTimer(retry_);
  for (auto* connection : {&commands_, &replies_}) {
    if (*connection) {
      (*connection)->close();
    }
  }
}

void RedisSubmitter::connected() {
  reactor_.cancelTimer(heartbeat_);
  heartbeat();
  for (const auto& [engine, id] : std::exchange(abandoned_, {})) {
    sendCancel(engine, id);
  }
  for (auto& [id, job] : jobs_) {
    checkEntry(id);
  }
  for (const std::string& id : std::exchange(held_, {})) {
    dispatch(id);
  }
}

void RedisSubmitter::lost() {
  for (auto& [id, engine] : engines_) {
    for (const std::string& waiting : std::exchange(engine.asking_jobs, {})) {
      hold(waiting);
    }
    engine.asking = false;
  }
  // What runs is waited for, but not for ever while nobody can tell how it goes.
  for (auto& [id, job] : jobs_) {
    if (job.timer == 0 && !job.established) {
      watchLifetime(id, job.lifetime);
    }
  }
}

/// Shows that this gateway lives: workers drop what waits for one that does not.
void RedisSubmitter::heartbeat() {
  const auto weak = weak_from_this();
  commands_->send({"SET", keys_.gateway(gateway_id_), "1", "PX", RedisKeys::kGatewayLifetime},
                  nullptr);
  commands_->send({"TIME"}, [weak](const Result<RedisReply>& reply) {
    if (const auto self = weak.lock(); self && reply) {
      self->clock_.heard(*reply);
    }
  });
  heartbeat_ = reactor_.runAfter(kHeartbeat, [weak] {
    if (const auto self = weak.lock(); self && self->commands_->ready()) {
      self->heartbeat();
    }
  });
}

RedisSubmitter::Outstanding* RedisSubmitter::find(const std::string& job_id) {
  const auto found = jobs_.find(job_id);
  return found == jobs_.end() ? nullptr : &found->second;
}

Error RedisSubmitter::unavailable(const Error& why) const {
  return Error{ErrorKind::Unavailable, "job queue: " + why.message()}.retryIn(kRetryAfter);
}

void RedisSubmitter::submit(const std::string& engine_id, Job job, JobQueue::Callbacks callbacks) {
  if (!commands_) {
    start();
  }
  const std::string id = job.id;
  if (find(id) != nullptr) {
    return callbacks.on_result(
        Error{ErrorKind::AlreadyExists, "job " + id + " is running already"});
  }
  Outstanding& entry = jobs_[id];
  entry.lifetime = job.lifetime.value_or(options_.default_lifetime);
  entry.engine_id = engine_id;
  entry.job = std::move(job);
  entry.callbacks = std::move(callbacks);
  watchLifetime(id, entry.lifetime + kLifetimeMargin);
  dispatch(id);
}

void RedisSubmitter::watchLifetime(const std::string& job_id, milliseconds left) {
  jobs_.at(job_id).timer = reactor_.runAfter(left, [weak = weak_from_this(), job_id] {
    if (const auto self = weak.lock()) {
      self->lifetimeOver(job_id);
    }
  });
}

/// Sends a job if there is a connection and room, or has it wait for that.
void RedisSubmitter::dispatch(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr || job->place != Place::Held) {
    return;
  }
  if (!commands_->ready() || !held_.empty()) {
    return hold(job_id);
  }
  Engine& engine = engines_[job->engine_id];
  if (engine.asking || engine.length >= options_.max_waiting) {
    engine.asking_jobs.push_back(job_id);
    return askForRoom(job->engine_id);
  }
  look(job->engine_id);
  send(job_id);
}

void RedisSubmitter::hold(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr) {
    return;
  }
  job->place = Place::Held;
  held_.push_back(job_id);
  if (job->patience == 0) {
    job->patience = reactor_.runAfter(std::min(options_.patience, job->lifetime),
                                      [weak = weak_from_this(), job_id] {
                                        if (const auto self = weak.lock()) {
                                          self->patienceOver(job_id);
                                        }
                                      });
  }
}

/// What the stream holds beyond what workers have, exactly: only asked when it may be full.
void RedisSubmitter::askForRoom(const std::string& engine_id) {
  Engine& engine = engines_[engine_id];
  if (std::exchange(engine.asking, true)) {
    return;
  }
  const auto weak = weak_from_this();
  const std::string key = keys_.jobs(engine_id);
  auto length = std::make_shared<std::size_t>(0);  // shared by the two answers
  commands_->send({"XLEN", key}, [length](const Result<RedisReply>& reply) {
    *length = reply ? static_cast<std::size_t>(reply->integer) : 0;
  });
  commands_->send({"XPENDING", key, RedisKeys::kGroup},
                  [weak, engine_id, length](const Result<RedisReply>& reply) {
                    const auto self = weak.lock();
                    if (!self || !self->commands_->ready()) {
                      return;  // lost() holds them
                    }
                    const bool known = reply && !reply->elements.empty();
                    self->gotRoom(engine_id, *length,
                                  known ? static_cast<std::size_t>(reply->elements[0].integer) : 0);
                  });
}

void RedisSubmitter::gotRoom(const std::string& engine_id, std::size_t length,
                             std::size_t running) {
  Engine& engine = engines_[engine_id];
  engine.asking = false;
  engine.length = length;
  std::size_t waiting = length - std::min(length, running);
  for (const std::string& id : std::exchange(engine.asking_jobs, {})) {
    if (find(id) == nullptr) {
      continue;
    }
    if (waiting++ < options_.max_waiting) {
      send(id);
    } else {
      finish(id, Error{ErrorKind::Unavailable, "the job queue of engine " + engine_id + " is full"}
                     .retryIn(kRetryAfter));
    }
  }
}

void RedisSubmitter::send(const std::string& job_id) {
  Outstanding& job = jobs_.at(job_id);
  job.place = Place::Sent;
  reactor_.cancelTimer(std::exchange(job.patience, 0));
  ++engines_[job.engine_id].length;
  const std::string text = encodeJob({.engine_id = job.engine_id,
                                      .gateway_id = gateway_id_,
                                      .issued_ms = clock_.nowMs(),
                                      .lifetime_ms = job.lifetime.count(),
                                      .job = job.job});
  const std::string mac = options_.key.sign(kJobPurpose, text);
  // Workers make the stream: a job for an engine that never was leaves nothing behind.
  commands_->send({"XADD", keys_.jobs(job.engine_id), "NOMKSTREAM", "*", "job", text, "mac", mac},
                  [weak = weak_from_this(), job_id](const Result<RedisReply>& reply) {
                    if (const auto self = weak.lock()) {
                      self->sent(job_id, reply);
                    }
                  });
}

void RedisSubmitter::sent(const std::string& job_id, const Result<RedisReply>& reply) {
  Outstanding* job = find(job_id);
  if (job == nullptr) {
    return;  // answered or given up already
  }
  if (reply && !reply->isNil()) {
    job->place = Place::Queued;
    job->entry = reply->text;
    if (job->cancelled) {
      withdraw(job_id, clientGone());
    }
    return;
  }
  if (!reply && commands_->ready()) {
    return finish(job_id, unavailable(reply.error()));  // the server's refusal, by name
  }
  if (!reply) {
    // Perhaps it arrived, perhaps not: it is sent again under its id, unless its time ends first.
    job->place = Place::Held;
    job->late = true;
    held_.push_back(job_id);
    return;
  }
  hold(job_id);
  if (retry_ == 0) {
    retry_ = reactor_.runAfter(kNoStreamRetry, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) {
        return;
      }
      self->retry_ = 0;
      if (self->commands_->ready()) {
        for (const std::string& id : std::exchange(self->held_, {})) {
          self->dispatch(id);
        }
      }
    });
  }
}

/// Once a second and engine: how long its stream really is.
void RedisSubmitter::look(const std::string& engine_id) {
  Engine& engine = engines_[engine_id];
  const auto now = Reactor::Clock::now();
  if (now - engine.looked < kLookAgain) {
    return;
  }
  engine.looked = now;
  commands_->send({"XLEN", keys_.jobs(engine_id)},
                  [weak = weak_from_this(), engine_id](const Result<RedisReply>& reply) {
                    if (const auto self = weak.lock(); self && reply) {
                      self->engines_[engine_id].length = static_cast<std::size_t>(reply->integer);
                    }
                  });
}

void RedisSubmitter::patienceOver(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr || job->place != Place::Held) {
    return;
  }
  job->patience = 0;
  const std::string engine = job->engine_id;
  finish(job_id, commands_->ready()
                     ? Error{ErrorKind::Unavailable, "no worker serves engine " + engine}.retryIn(
                           kRetryAfter)
                     : unavailable(commands_->lastError()));
}

/// The job may not be started any more. One that runs already is waited for as long as it takes.
void RedisSubmitter::lifetimeOver(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr) {
    return;
  }
  job->timer = 0;
  if (job->established) {
    return;
  }
  if (!commands_->ready() && job->place == Place::Queued && !std::exchange(job->late, true)) {
    return watchLifetime(job_id, options_.patience);  // it may run: the next moments may tell
  }
  if (!commands_->ready() || job->place != Place::Queued) {
    return abandon(
        job_id, unavailable(commands_->ready() ? Error{ErrorKind::Unavailable, "no answer in time"}
                                               : commands_->lastError()));
  }
  commands_->send(
      {"EXISTS", keys_.owner(job->engine_id)},
      [weak = weak_from_this(), job_id, engine = job->engine_id](const Result<RedisReply>& reply) {
        const auto self = weak.lock();
        if (!self) {
          return;
        }
        const bool served = !reply || reply->integer != 0;
        self->withdraw(job_id,
                       served ? Error{ErrorKind::DeadlineExceeded, "no worker took the job in time"}
                              : Error{ErrorKind::Unavailable, "no worker serves engine " + engine});
      });
}

void RedisSubmitter::cancel(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr) {
    return;
  }
  if (job->place == Place::Held || !commands_->ready()) {
    return abandon(job_id, clientGone());
  }
  job->cancelled = true;
  sendCancel(job->engine_id, job_id);
  withdraw(job_id, clientGone());
}

/// The key for those who do not listen now, the message for those who do.
void RedisSubmitter::sendCancel(const std::string& engine_id, const std::string& job_id) {
  commands_->send({"SET", keys_.cancelled(job_id), "1", "PX", RedisKeys::kCancelLifetime}, nullptr);
  commands_->send({"PUBLISH", keys_.cancelChannel(engine_id), job_id}, nullptr);
}

void RedisSubmitter::abandon(const std::string& job_id, const Error& error) {
  Outstanding& job = jobs_.at(job_id);
  if (job.place != Place::Held || job.late) {
    abandoned_.emplace_back(job.engine_id, job_id);
  }
  finish(job_id, error);
}

void RedisSubmitter::withdraw(const std::string& job_id, const Error& error) {
  Outstanding* job = find(job_id);
  if (job == nullptr || job->place != Place::Queued || !commands_->ready()) {
    return;
  }
  const auto weak = weak_from_this();
  commands_->send(
      {"XPENDING", keys_.jobs(job->engine_id), RedisKeys::kGroup, job->entry, job->entry, "1"},
      [weak, job_id, error](const Result<RedisReply>& pending) {
        const auto self = weak.lock();
        Outstanding* waiting = self && pending ? self->find(job_id) : nullptr;
        if (waiting == nullptr || !pending->elements.empty()) {
          return;  // a worker has it: its result answers
        }
        self->commands_->send({"XDEL", self->keys_.jobs(waiting->engine_id), waiting->entry},
                              [weak, job_id, error](const Result<RedisReply>& removed) {
                                if (const auto alive = weak.lock()) {
                                  alive->withdrawn(job_id, removed, error);
                                }
                              });
      });
}

void RedisSubmitter::withdrawn(const std::string& job_id, const Result<RedisReply>& removed,
                               const Error& error) {
  if (removed && removed->integer == 1) {
    return finish(job_id, error);
  }
  // It is done and its reply is on the way; or a worker refused it, and nobody will ever answer.
  const Outstanding* job = find(job_id);
  if (removed && job != nullptr) {
    reactor_.runAfter(options_.patience, [weak = weak_from_this(), job_id, entry = job->entry] {
      if (const auto self = weak.lock()) {
        self->awaitReply(job_id, entry);
      }
    });
  }
}

void RedisSubmitter::awaitReply(const std::string& job_id, const std::string& entry) {
  const Outstanding* job = find(job_id);
  const bool connected =
      commands_->ready() && replies_->ready();  // else the reconnect looks after it
  if (job != nullptr && connected && job->place == Place::Queued && job->entry == entry &&
      !job->established) {
    abandon(job_id, Error{ErrorKind::Unavailable,
                          "the job left the queue without an answer: a worker of engine " +
                              job->engine_id + " refused it (is its cluster key another?)"});
  }
}

void RedisSubmitter::checkEntry(const std::string& job_id) {
  Outstanding* job = find(job_id);
  if (job == nullptr || job->place != Place::Queued || !commands_->ready()) {
    return;
  }
  commands_->send(
      {"XRANGE", keys_.jobs(job->engine_id), job->entry, job->entry},
      [weak = weak_from_this(), job_id, entry = job->entry](const Result<RedisReply>& reply) {
        const auto self = weak.lock();
        Outstanding* waiting = self && reply ? self->find(job_id) : nullptr;
        if (waiting == nullptr || waiting->entry != entry || !reply->elements.empty()) {
          return;
        }
        if (self->resent_ != nullptr) {
          self->resent_->Increment();
        }
        waiting->place = Place::Held;
        waiting->entry.clear();
        self->dispatch(job_id);
      });
}

void RedisSubmitter::readReplies() {
  const std::string block =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kBlock).count());
  replies_->send(
      {"BLMPOP", block, "1", keys_.reply(gateway_id_), "LEFT", "COUNT", kBatch},
      [weak = weak_from_this()](const Result<RedisReply>& reply) {
        const auto self = weak.lock();
        if (!self || !self->replies_->ready()) {
          return;
        }
        if (!reply) {
          log::error("replies cannot be read", {{"error", reply.error().message()}});
          self->reactor_.runAfter(kLookAgain, [weak] {
            if (const auto alive = weak.lock(); alive && alive->replies_->ready()) {
              alive->readReplies();
            }
          });
          return;
        }
        self->readReplies();  // before the callbacks: Redis works meanwhile
        if (reply->elements.size() == 2) {
          for (const RedisReply& message : reply->elements[1].elements) {
            self->heard(message.text);
          }
        }
      },
      kBlockLimit);
}

void RedisSubmitter::heard(std::string_view message) {
  auto reply = decodeReply(options_.key, message);
  if (!reply) {
    if (bad_replies_ != nullptr) {
      bad_replies_->Increment();
    }
    log::warning("a reply was refused", {{"error", reply.error().message()}});
    return;
  }
  if (auto* result = std::get_if<JobResult>(&reply->content)) {
    return finish(reply->job_id, std::move(*result));
  }
  Outstanding* job = find(reply->job_id);
  if (job == nullptr || std::exchange(job->established, true) || !job->callbacks.on_established) {
    return;  // over, or told already by an earlier attempt
  }
  const auto on_established = job->callbacks.on_established;
  on_established(std::get<Established>(std::move(reply->content)));
}

void RedisSubmitter::finish(const std::string& job_id, JobResult result) {
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) {
    // Its client had to be told something else, or it was answered before.
    log::debug("a result came too late", {{"job", job_id}, {"ok", result ? "true" : "false"}});
    return;
  }
  Outstanding job = std::move(found->second);
  jobs_.erase(found);
  reactor_.cancelTimer(job.timer);
  reactor_.cancelTimer(job.patience);
  if (job.place != Place::Held) {
    std::size_t& length = engines_[job.engine_id].length;
    length -= std::min<std::size_t>(length, 1);
  }
  if (job.callbacks.on_result) {
    job.callbacks.on_result(std::move(result));
  }
}

}  // namespace flotilla
