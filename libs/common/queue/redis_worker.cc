#include "common/queue/redis_worker.h"

#include <utility>

#include "common/log/log.h"

namespace flotilla {

RedisWorker::RedisWorker(Reactor& reactor, const RedisQueueOptions& options,
                         const JobQueue::ServeOptions& serve, Deliver deliver,
                         std::unique_ptr<WorkerPresence> presence)
    : side_(reactor, options, serve, presence->worker()),
      outbox_(std::make_shared<RedisOutbox>(reactor, side_.keys, side_.engine_id)),
      ownership_(side_, {.on_gained = [this] { reader_.makeGroup(); },
                         .on_confirmed = [this] { dead_.lookForLost(); }}),
      cancels_(side_, running_),
      admission_(
          side_,
          {.running = running_,
           .clock = ownership_.clock(),
           .cancels = cancels_,
           .outbox = *outbox_},
          {.deliver = [this](const std::string& entry,
                             JobEnvelope envelope) { this->deliver(entry, std::move(envelope)); },
           .undecided = [this] { reader_.wantHistory(); },
           .slot_freed = [this] { reader_.slotFreed(); }}),
      reader_(side_, ownership_,
              {.take = [this](const RedisReply& entry,
                              Delivery delivery) { admission_.take(entry, delivery); },
               .free_slots = [this] { return admission_.freeSlots(); }}),
      dead_(side_, ownership_, admission_, std::move(presence)),
      deliver_(std::move(deliver)) {
  side_.commands = side_.connection(
      "worker", side_.worker,
      {.on_ready = side_.guard([this] { connected(); }), .on_lost = [](const Error& why) {
         log::warning("job queue is away", {{"error", why.message()}});
       }});
}

void RedisWorker::start() {
  side_.guard.belongTo(weak_from_this());
  outbox_->setConnection(side_.commands);
  side_.commands->start();
  reader_.start();
  cancels_.start();
  dead_.start();
}

void RedisWorker::stop() {
  side_.stopped = true;
  Deliver dying;
  if (!side_.reactor.inLoop()) {
    MutexLock lock(deliver_mutex_);
    dying.swap(deliver_);
  }
  side_.reactor.post(side_.guard([this] { reader_.close(); }));
}

void RedisWorker::close() {
  side_.guard.close();
  outbox_->close();
  side_.commands->close();
  reader_.close();
  cancels_.close();
  dead_.close();
}

Result<void> RedisWorker::health() const {
  if (!side_.commands->ready()) {
    return side_.commands->lastError();
  }
  return ownership_.owned()
             ? Result<void>{}
             : Error{ErrorKind::Unavailable, "engine " + side_.engine_id + " is not served"};
}

void RedisWorker::established(const std::string& gateway, const std::string& job_id,
                              const Established& message) {
  outbox_->add({gateway, encodeReply(side_.options.key, job_id, message), ""});
}

void RedisWorker::completed(const std::string& gateway, const std::string& job_id,
                            const std::string& entry, const JobResult& result) {
  if (abandoned_) {
    return;
  }
  outbox_->add({gateway, encodeReply(side_.options.key, job_id, result), entry});
  running_.erase(job_id);
  reader_.slotFreed();
}

void RedisWorker::connected() {
  outbox_->connected();
  ownership_.connected();
  cancels_.connected();
}

void RedisWorker::deliver(const std::string& entry, JobEnvelope envelope) {
  MutexLock delivering(deliver_mutex_);
  if (!deliver_ || side_.stopped) {
    return;  // the entry waits for whoever takes this worker's place
  }
  auto context = std::make_shared<RedisContext>(weak_from_this(), std::move(envelope.gateway_id),
                                                entry, std::move(envelope.job));
  running_.add(context);
  deliver_(std::move(context));
}

}  // namespace flotilla
