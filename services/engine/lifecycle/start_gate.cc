#include "engine/lifecycle/start_gate.h"

namespace flotilla::engine {

StartGate::Turn::~Turn() {
  if (gate_ != nullptr) {
    gate_->release();
  }
}

StartGate::Turn StartGate::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (free_ > 0) {
    --free_;
    return Turn(this);
  }
  Waiter waiter;
  const auto place = waiting_.insert(waiting_.end(), &waiter);
  if (!waiter.called.wait_for(lock, patience, [&] { return waiter.has_turn; })) {
    waiting_.erase(place);
    return Turn(nullptr);
  }
  return Turn(this);
}

void StartGate::release() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  Waiter* const next = waiting_.front();
  waiting_.pop_front();
  next->has_turn = true;
  next->called.notify_one();
}

}  // namespace flotilla::engine
