#include "common/queue/redis_worker.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHeartbeat{3'000};
constexpr milliseconds kRetry{200};
constexpr std::chrono::seconds kKeepCancels{60};
constexpr std::int64_t kFreshMs = 1'000;            // younger jobs have a living gateway
constexpr std::int64_t kClockToleranceMs = 60'000;  // a job from further in the future is not ours
constexpr const char* kBlockMs = "4000";
constexpr std::chrono::seconds kBlockLimit{9};
constexpr std::size_t kMostAtOnce = 64;  // one worker does not take all while others have nothing

/// The value of a field in an entry's flat list, nothing when it has none.
std::string_view field(const RedisReply& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    if (fields.elements[i].text == name) {
      return fields.elements[i + 1].text;
    }
  }
  return {};
}

}  // namespace

RedisWorker::RedisWorker(Reactor& reactor, const RedisQueueOptions& options,
                         JobQueue::ServeOptions serve, Deliver deliver,
                         std::unique_ptr<WorkerPresence> presence)
    : reactor_(reactor),
      options_(options),
      serve_(std::move(serve)),
      keys_(options.cluster),
      jobs_key_(keys_.jobs(serve_.engine_id)),
      presence_(std::move(presence)),
      outbox_(std::make_shared<RedisOutbox>(reactor, keys_, serve_.engine_id)),
      deliver_(std::move(deliver)) {
  if (options.metrics != nullptr) {
    const auto refused = [&options](const char* reason) {
      return &options.metrics->counter("flotilla_queue_refused_jobs_total",
                                       "Jobs a worker did not start, by reason",
                                       {{"reason", reason}});
    };
    counters_ = {.forged = refused("forged"),
                 .foreign = refused("foreign"),
                 .expired = refused("expired"),
                 .orphaned = refused("gateway gone"),
                 .claimed = &options.metrics->counter("flotilla_queue_claimed_jobs_total",
                                                      "Jobs taken over from dead workers")};
  }
}

void RedisWorker::start() {
  const auto weak = weak_from_this();
  const auto name = [this](const char* role) {
    return "flotilla-" + std::string(role) + "-" + presence_->worker();
  };
  commands_ =
      RedisConnection::create(reactor_, {.target = options_.target, .name = name("worker")},
                              {.on_ready =
                                   [weak] {
                                     if (const auto self = weak.lock()) {
                                       self->connected();
                                     }
                                   },
                               .on_lost =
                                   [](const Error& why) {
                                     log::warning("job queue is away", {{"error", why.message()}});
                                   }});
  reader_ =
      RedisConnection::create(reactor_, {.target = options_.target, .name = name("reader")},
                              {.on_ready =
                                   [weak] {
                                     if (const auto self = weak.lock(); self && self->owner_) {
                                       self->wantHistory();
                                     }
                                   },
                               .on_lost =
                                   [weak](const Error&) {
                                     if (const auto self = weak.lock()) {
                                       self->reading_ = false;
                                     }
                                   }});
  listener_ =
      RedisConnection::create(reactor_, {.target = options_.target, .name = name("listener")},
                              {.on_ready =
                                   [weak] {
                                     if (const auto self = weak.lock()) {
                                       self->listen();
                                     }
                                   },
                               .on_lost =
                                   [weak](const Error&) {
                                     if (const auto self = weak.lock()) {
                                       self->listening_ = false;
                                     }
                                   },
                               .on_push =
                                   [weak](const RedisReply& reply) {
                                     if (const auto self = weak.lock()) {
                                       self->pushed(reply);
                                     }
                                   }});
  outbox_->setConnection(commands_);
  commands_->start();
  reader_->start();
  listener_->start();
  watchOthers();
}

void RedisWorker::again(milliseconds delay, void (RedisWorker::*method)()) {
  reactor_.runAfter(delay, [weak = weak_from_this(), method] {
    if (const auto self = weak.lock(); self && !self->closed_) {
      (self.get()->*method)();
    }
  });
}

void RedisWorker::stop() {
  stopped_ = true;
  Deliver dying;
  if (!reactor_.inLoop()) {
    MutexLock lock(deliver_mutex_);
    dying.swap(deliver_);
  }
  reactor_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->reader_) {
      self->reader_->close();
    }
  });
}

void RedisWorker::close() {
  closed_ = true;
  outbox_->close();
  for (auto* connection : {&commands_, &reader_, &listener_}) {
    if (*connection) {
      (*connection)->close();
    }
  }
  dead_.clear();
  presence_.reset();
}

std::vector<std::string> RedisWorker::running() const {
  std::vector<std::shared_ptr<RedisContext>> contexts;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, context] : running_) {
      contexts.push_back(context.lock());
    }
  }
  std::vector<std::string> names;  // outside the lock: the last reference may end here
  for (const auto& context : contexts) {
    if (context) {
      names.push_back(context->job().name);
    }
  }
  return names;
}

Result<void> RedisWorker::health() const {
  if (!commands_ || !commands_->ready()) {
    return commands_ ? commands_->lastError() : Error{ErrorKind::Unavailable, "not started"};
  }
  return owner_ ? Result<void>{}
                : Error{ErrorKind::Unavailable, "engine " + serve_.engine_id + " is not served"};
}

std::size_t RedisWorker::inFlight() const {
  MutexLock lock(mutex_);
  return running_.size();
}

std::size_t RedisWorker::freeSlots() const {
  const std::size_t busy = inFlight() + checking_;
  return busy < serve_.max_in_flight ? serve_.max_in_flight - busy : 0;
}

void RedisWorker::established(const std::string& gateway, const std::string& job_id,
                              const Established& message) {
  outbox_->add({gateway, encodeReply(options_.key, job_id, message), ""});
}

void RedisWorker::completed(const std::string& gateway, const std::string& job_id,
                            const std::string& entry, const JobResult& result) {
  if (abandoned_) {
    return;
  }
  outbox_->add({gateway, encodeReply(options_.key, job_id, result), entry});
  {
    MutexLock lock(mutex_);
    running_.erase(job_id);
  }
  if (full_.exchange(false)) {
    reactor_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->readJobs();
      }
    });
  }
}

void RedisWorker::connected() {
  outbox_->connected();
  heartbeat();
}

/// Claims the engine id for this host, and keeps the keys that live by being renewed.
void RedisWorker::heartbeat() {
  if (!commands_->ready()) {
    return;  // the next connection begins anew
  }
  const auto weak = weak_from_this();
  commands_->send({"TIME"}, [weak](const Result<RedisReply>& reply) {
    if (const auto self = weak.lock(); self && reply) {
      self->clock_.heard(*reply);
    }
  });
  commands_->send({"SET", keys_.owner(serve_.engine_id), options_.host_identity, "NX", "GET", "PX",
                   RedisKeys::kOwnerLifetime},
                  [weak](const Result<RedisReply>& reply) {
                    if (const auto self = weak.lock(); self && !self->closed_) {
                      self->ownerKnown(reply);
                    }
                  });
  const auto old = Reactor::Clock::now() - kKeepCancels;
  std::erase_if(recent_cancels_, [old](const auto& cancel) { return cancel.second < old; });
}

void RedisWorker::ownerKnown(const Result<RedisReply>& reply) {
  reactor_.cancelTimer(heartbeat_);  // of an earlier connection
  heartbeat_ = reactor_.runAfter(kHeartbeat, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && !self->closed_) {
      self->heartbeat();
    }
  });
  if (!reply) {
    if (commands_->ready()) {
      log::error("the queue cannot be served", {{"error", reply.error().message()}});
    }
    return;
  }
  if (!reply->isNil() && reply->text != options_.host_identity) {
    owner_ = false;
    return refused(Error{ErrorKind::Conflict, "engine " + serve_.engine_id +
                                                  " is served by another host (" + reply->text +
                                                  "; this one is " + options_.host_identity +
                                                  "): was it cloned?"});
  }
  commands_->send({"PEXPIRE", keys_.owner(serve_.engine_id), RedisKeys::kOwnerLifetime}, nullptr);
  commands_->send({"PEXPIRE", jobs_key_, RedisKeys::kJobsLifetime}, nullptr);
  if (!std::exchange(owner_, true)) {
    makeGroup();
    if (!std::exchange(owned_once_, true) && options_.on_owned) {
      options_.on_owned();
    }
  }
  lookForLost();
}

void RedisWorker::refused(const Error& why) {
  log::error("the queue is not served", {{"error", why.message()}});
  if (options_.on_refused) {
    options_.on_refused(why);
  }
}

/// From the beginning of the stream: what waits already is not skipped.
void RedisWorker::makeGroup() {
  commands_->send(
      {"XGROUP", "CREATE", jobs_key_, RedisKeys::kGroup, "0", "MKSTREAM"},
      [weak = weak_from_this()](const Result<RedisReply>& reply) {
        const auto self = weak.lock();
        if (!self || self->closed_) {
          return;
        }
        if (!reply && !isRedisError(reply.error(), "BUSYGROUP")) {
          log::error("no group of workers", {{"error", reply.error().message()}});
          return self->again(kRetry, &RedisWorker::makeGroup);
        }
        self->commands_->send({"PEXPIRE", self->jobs_key_, RedisKeys::kJobsLifetime}, nullptr);
        if (self->reader_->ready()) {
          self->wantHistory();
        }
      });
}

void RedisWorker::listen() {
  listener_->send({"SUBSCRIBE", keys_.cancelChannel(serve_.engine_id)}, nullptr);
}

void RedisWorker::pushed(const RedisReply& reply) {
  if (reply.type == RedisReply::Type::Error) {
    log::error("cancellations are not heard", {{"error", reply.text}});
    return;
  }
  if (reply.elements.size() != 3) {
    return;
  }
  if (reply.elements[0].text == "message") {
    cancel(reply.elements[2].text);
  } else if (reply.elements[0].text == "subscribe") {
    listening_ = true;
    recheckCancelled();
  }
}

std::shared_ptr<RedisContext> RedisWorker::findRunning(const std::string& job_id) const {
  MutexLock lock(mutex_);
  const auto found = running_.find(job_id);
  return found == running_.end() ? nullptr : found->second.lock();
}

void RedisWorker::cancel(const std::string& job_id) {
  if (const auto context = findRunning(job_id)) {
    context->cancel();
  } else {
    recent_cancels_[job_id] = Reactor::Clock::now();  // it may be on its way here
  }
}

/// What was cancelled while nobody listened.
void RedisWorker::recheckCancelled() {
  std::vector<std::string> ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, context] : running_) {
      ids.push_back(id);
    }
  }
  for (const std::string& id : ids) {
    commands_->send({"EXISTS", keys_.cancelled(id)},
                    [weak = weak_from_this(), id](const Result<RedisReply>& reply) {
                      if (const auto self = weak.lock(); self && reply && reply->integer == 1) {
                        self->cancel(id);
                      }
                    });
  }
}

/// One read at a time: more would take more than there are slots for.
void RedisWorker::wantHistory() {
  if (reading_) {
    history_wanted_ = true;
  } else if (reader_->ready()) {
    readHistory("0");
  }
}

/// What was given to this worker before its connection broke. What it has is left alone.
void RedisWorker::readHistory(const std::string& after) {
  if (stopped_ || closed_) {
    return;
  }
  reading_ = true;
  history_wanted_ = false;
  reader_->send({"XREADGROUP", "GROUP", RedisKeys::kGroup, presence_->worker(), "COUNT", "100",
                 "STREAMS", jobs_key_, after},
                [weak = weak_from_this()](const Result<RedisReply>& reply) {
                  const auto self = weak.lock();
                  if (!self || self->closed_ || self->stopped_) {
                    return;
                  }
                  self->reading_ = false;
                  if (!reply) {
                    return self->readFailed(reply.error());
                  }
                  std::string last;
                  if (reply->isArray() && !reply->elements.empty()) {
                    for (const RedisReply& entry : reply->elements[0].elements.at(1).elements) {
                      last = entry.elements.at(0).text;
                      self->take(entry, Delivery::Again);
                    }
                  }
                  if (last.empty()) {
                    self->readJobs();
                  } else {
                    self->readHistory(last);
                  }
                });
}

void RedisWorker::readJobs() {
  if (stopped_ || closed_ || reading_ || !owner_ || !reader_ || !reader_->ready()) {
    return;
  }
  full_ = true;  // before the count: a completion that is not counted comes back here
  const std::size_t free = std::min(freeSlots(), kMostAtOnce);
  if (free == 0) {
    return;
  }
  full_ = false;
  reading_ = true;
  const std::string count = std::to_string(free);
  reader_->send(
      {"XREADGROUP", "GROUP", RedisKeys::kGroup, presence_->worker(), "COUNT", count, "BLOCK",
       kBlockMs, "STREAMS", jobs_key_, ">"},
      [weak = weak_from_this()](const Result<RedisReply>& reply) {
        const auto self = weak.lock();
        if (!self || self->closed_ || self->stopped_) {
          return;
        }
        self->reading_ = false;
        if (!reply) {
          return self->readFailed(reply.error());
        }
        if (reply->isArray() && !reply->elements.empty()) {
          for (const RedisReply& entry : reply->elements[0].elements.at(1).elements) {
            self->take(entry, Delivery::First);
          }
        }
        self->history_wanted_ ? self->wantHistory() : self->readJobs();
      },
      kBlockLimit);
}

void RedisWorker::readFailed(const Error& why) {
  if (!reader_->ready()) {
    return;  // its return begins anew
  }
  // NOGROUP, UNBLOCKED: Redis lost its data. Whatever it is, the group is made anew, then read.
  log::warning("jobs cannot be read", {{"error", why.message()}});
  again(kRetry, &RedisWorker::makeGroup);
}

void RedisWorker::refuse(const std::string& entry, prometheus::Counter* counter, const char* why) {
  if (counter != nullptr) {
    counter->Increment();
  }
  log::warning("a job was refused",
               {{"entry", entry}, {"engine", serve_.engine_id}, {"reason", why}});
  outbox_->add({"", "", entry});
}

void RedisWorker::answer(const std::string& entry, const JobEnvelope& envelope,
                         const Error& error) {
  outbox_->add(
      {envelope.gateway_id, encodeReply(options_.key, envelope.job.id, JobResult(error)), entry});
}

void RedisWorker::take(const RedisReply& entry, Delivery delivery) {
  if (entry.elements.size() != 2) {
    return;
  }
  const std::string& id = entry.elements[0].text;
  if (outbox_->holds(id)) {
    return;  // done; its reply is on the way
  }
  if (!entry.elements[1].isArray()) {
    return outbox_->add({"", "", id});  // taken back by its gateway
  }
  const std::string_view text = field(entry.elements[1], "job");
  if (!options_.key.verify(kJobPurpose, text, field(entry.elements[1], "mac"))) {
    return refuse(id, counters_.forged, "not signed with the cluster's key");
  }
  auto decoded = decodeJob(text);
  if (!decoded || decoded->engine_id != serve_.engine_id) {
    return refuse(id, counters_.foreign,
                  decoded ? "meant for another engine" : "of another version");
  }
  const std::int64_t age = clock_.nowMs() - decoded->issued_ms;
  if (age < -kClockToleranceMs) {
    return refuse(id, counters_.forged, "issued in the future");
  }
  if (const auto context = findRunning(decoded->job.id)) {
    if (context->entry() != id) {
      outbox_->add({"", "", id});  // sent twice: one answer is enough
    }
    return;
  }
  if (delivery == Delivery::First && age > decoded->lifetime_ms) {
    if (counters_.expired != nullptr) {
      counters_.expired->Increment();
    }
    return answer(id, *decoded,
                  Error{ErrorKind::DeadlineExceeded, "no worker took the job in time"});
  }
  if (recent_cancels_.erase(decoded->job.id) > 0) {
    return answer(id, *decoded,
                  Error{ErrorKind::Unavailable, "the client went away before the job started"});
  }
  if (delivery == Delivery::Again || age > kFreshMs || !listening_) {
    return check(id, std::make_shared<JobEnvelope>(*std::move(decoded)));
  }
  deliver(id, *std::move(decoded));
}

/// Is anybody still interested? Asked about jobs that are not fresh.
void RedisWorker::check(const std::string& entry, const std::shared_ptr<JobEnvelope>& envelope) {
  ++checking_;
  const auto weak = weak_from_this();
  auto cancelled = std::make_shared<bool>(false);  // shared by the two answers
  commands_->send(
      {"EXISTS", keys_.cancelled(envelope->job.id)},
      [cancelled](const Result<RedisReply>& reply) { *cancelled = reply && reply->integer == 1; });
  commands_->send({"EXISTS", keys_.gateway(envelope->gateway_id)},
                  [weak, entry, envelope, cancelled](const Result<RedisReply>& reply) {
                    const auto self = weak.lock();
                    if (!self || self->closed_) {
                      return;
                    }
                    --self->checking_;
                    if (!reply) {
                      // Unknown now: it stays this worker's and comes back with its history.
                      return self->wantHistory();
                    }
                    if (*cancelled) {
                      return self->answer(entry, *envelope,
                                          Error{ErrorKind::Unavailable,
                                                "the client went away before the job started"});
                    }
                    if (reply->integer == 0) {
                      return self->refuse(entry, self->counters_.orphaned, "its gateway is gone");
                    }
                    self->deliver(entry, std::move(*envelope));
                    self->readJobs();
                  });
}

void RedisWorker::deliver(const std::string& entry, JobEnvelope envelope) {
  MutexLock delivering(deliver_mutex_);
  if (!deliver_ || stopped_) {
    return;  // the entry waits for whoever takes this worker's place
  }
  auto context = std::make_shared<RedisContext>(weak_from_this(), std::move(envelope.gateway_id),
                                                entry, std::move(envelope.job));
  {
    MutexLock lock(mutex_);
    running_[context->job().id] = context;
  }
  deliver_(std::move(context));
}

/// The kernel lets go of a dead worker's lock; nobody sends word of it.
void RedisWorker::watchOthers() {
  again(kRetry, &RedisWorker::watchOthers);
  if (!owner_ || stopped_ || !commands_->ready()) {
    return;
  }
  for (const std::string& worker : presence_->others()) {
    adopt(worker);
  }
}

/// Workers that Redis knows and whose lock file is gone (a reboot empties its folder).
void RedisWorker::lookForLost() {
  if (stopped_) {
    return;
  }
  commands_->send({"XPENDING", jobs_key_, RedisKeys::kGroup},
                  [weak = weak_from_this()](const Result<RedisReply>& reply) {
                    const auto self = weak.lock();
                    if (!self || self->closed_ || !reply || reply->elements.size() != 4) {
                      return;
                    }
                    for (const RedisReply& consumer : reply->elements[3].elements) {
                      if (!consumer.elements.empty()) {
                        self->adopt(consumer.elements[0].text);
                      }
                    }
                  });
}

void RedisWorker::adopt(const std::string& worker) {
  if (dead_.contains(worker)) {
    return;
  }
  if (auto lock = presence_->takeOver(worker)) {
    log::info("a worker is gone; its jobs are taken over", {{"worker", worker}});
    dead_.emplace(worker, *std::move(lock));
    if (options_.on_worker_gone) {
      options_.on_worker_gone();
    }
    claimFrom(worker);
  }
}

void RedisWorker::claimFrom(const std::string& worker) {
  const std::string count = std::to_string(std::min(freeSlots(), kMostAtOnce));
  if (count == "0") {
    dead_.erase(worker);  // for the next look, by whoever has room then
    return;
  }
  commands_->send({"XPENDING", jobs_key_, RedisKeys::kGroup, "-", "+", count, worker},
                  [weak = weak_from_this(), worker](const Result<RedisReply>& reply) {
                    const auto self = weak.lock();
                    if (!self || self->closed_) {
                      return;
                    }
                    if (reply && !reply->elements.empty()) {
                      return self->claim(worker, *reply);
                    }
                    if (reply || isRedisError(reply.error(), "NOGROUP")) {
                      return self->buried(worker);
                    }
                    self->dead_.erase(worker);
                  });
}

void RedisWorker::claim(const std::string& worker, const RedisReply& pending) {
  RedisConnection::Arguments arguments{"XCLAIM", jobs_key_, RedisKeys::kGroup, presence_->worker(),
                                       "0"};
  for (const RedisReply& entry : pending.elements) {
    if (!entry.elements.empty()) {
      arguments.push_back(entry.elements[0].text);
    }
  }
  commands_->send(arguments, [weak = weak_from_this(), worker](const Result<RedisReply>& reply) {
    const auto self = weak.lock();
    if (!self || self->closed_) {
      return;
    }
    if (!reply) {
      self->dead_.erase(worker);
      return;
    }
    for (const RedisReply& entry : reply->elements) {
      if (self->counters_.claimed != nullptr) {
        self->counters_.claimed->Increment();
      }
      self->take(entry, Delivery::Again);
    }
    self->claimFrom(worker);
  });
}

void RedisWorker::buried(const std::string& worker) {
  commands_->send({"XGROUP", "DELCONSUMER", jobs_key_, RedisKeys::kGroup, worker}, nullptr);
  if (auto found = dead_.find(worker); found != dead_.end()) {
    presence_->bury(worker, std::move(found->second));
    dead_.erase(found);
  }
}

}  // namespace flotilla
