#include "common/queue/redis_outbox.h"

#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr std::chrono::milliseconds kRetry{200};

}  // namespace

void RedisOutbox::add(Item item) {
  bool first = false;
  {
    MutexLock lock(mutex_);
    first = waiting_.empty();
    if (!item.entry.empty()) {
      entries_.insert(item.entry);
    }
    waiting_.push_back(std::move(item));
  }
  if (first) {
    reactor_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->flush();
      }
    });
  }
}

bool RedisOutbox::holds(const std::string& entry) const {
  MutexLock lock(mutex_);
  return entries_.contains(entry);
}

bool RedisOutbox::empty() const {
  MutexLock lock(mutex_);
  return waiting_.empty() && under_way_ == 0;
}

void RedisOutbox::close() {
  closed_ = true;
  reactor_.cancelTimer(retry_);
  connection_.reset();
}

void RedisOutbox::flush() {
  auto batch = std::make_shared<Batch>();  // shared with the answer's callback
  {
    MutexLock lock(mutex_);
    if (closed_ || waiting_.empty() || !connection_ || !connection_->ready() || retry_ != 0) {
      return;  // connected() or the retry comes back
    }
    batch->items.swap(waiting_);
    returned_ = 0;
    ++under_way_;
  }
  sendBatch(batch);
}

void RedisOutbox::sendBatch(const std::shared_ptr<Batch>& batch) {
  using Arguments = RedisConnection::Arguments;
  std::map<std::string, Arguments> replies;  // by gateway; in order for each
  Arguments gone;
  for (const Item& item : batch->items) {
    if (!item.gateway.empty()) {
      replies[item.gateway].push_back(item.message);
    }
    if (!item.entry.empty()) {
      gone.push_back(item.entry);
    }
  }
  const auto queued = [batch](const Result<RedisReply>& reply) {
    if (!reply && batch->refusal.empty()) {
      batch->refusal = reply.error().message();
    }
  };
  connection_->send({"MULTI"}, nullptr);
  for (const auto& [gateway, messages] : replies) {
    const std::string key = keys_.reply(gateway);
    Arguments push{"RPUSH", key};
    push.insert(push.end(), messages.begin(), messages.end());
    connection_->send(push, queued);
    connection_->send({"PEXPIRE", key, RedisKeys::kReplyLifetime}, queued);
  }
  if (!gone.empty()) {
    Arguments acknowledge{"XACK", jobs_key_, RedisKeys::kGroup};
    acknowledge.insert(acknowledge.end(), gone.begin(), gone.end());
    connection_->send(acknowledge, queued);
    Arguments remove{"XDEL", jobs_key_};
    remove.insert(remove.end(), gone.begin(), gone.end());
    connection_->send(remove, queued);
  }
  connection_->send({"EXEC"}, [weak = weak_from_this(), batch](const Result<RedisReply>& reply) {
    if (const auto self = weak.lock()) {
      self->answered(batch, reply);
    }
  });
}

void RedisOutbox::answered(const std::shared_ptr<Batch>& batch, const Result<RedisReply>& reply) {
  {
    MutexLock lock(mutex_);
    --under_way_;
    if (closed_) {
      return;
    }
    if (reply) {
      for (const Item& item : batch->items) {
        entries_.erase(item.entry);
      }
      return;
    }
    // Batches come back in the order they left in, and before what was added since.
    waiting_.insert(std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(returned_)),
                    std::make_move_iterator(batch->items.begin()),
                    std::make_move_iterator(batch->items.end()));
    returned_ += batch->items.size();
  }
  if (!connection_->ready() || retry_ != 0) {
    return;
  }
  // The server itself refused (OOM, NOPERM, READONLY): nothing was executed.
  log::error("results cannot be sent",
             {{"error", batch->refusal.empty() ? reply.error().message() : batch->refusal}});
  retry_ = reactor_.runAfter(kRetry, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->retry_ = 0;
      self->flush();
    }
  });
}

}  // namespace flotilla
