#include "engine/lifecycle/end_notice.h"

#include <utility>

namespace flotilla::engine {

std::shared_ptr<EndNotice> EndNotice::await(Notices& notices, std::string key,
                                            std::function<bool()> over, std::function<void()> end) {
  std::shared_ptr<EndNotice> notice(
      new EndNotice(notices, std::move(key), std::move(over), std::move(end)));
  notice->await();
  return notice;
}

EndNotice::EndNotice(Notices& notices, std::string key, std::function<bool()> over,
                     std::function<void()> end)
    : notices_(notices),
      life_(notices.life()),
      key_(std::move(key)),
      over_(std::move(over)),
      end_(std::move(end)) {}

EndNotice::~EndNotice() {
  if (!life_.expired()) {
    notices_.cancel(awaited_);
  }
}

void EndNotice::await() {
  const std::lock_guard lock(mutex_);
  awaited_ = notices_.when(key_, std::nullopt, [weak = weak_from_this()](Notices::Outcome) {
    const auto alive = weak.lock();
    if (!alive) {
      return;
    }
    if (alive->over_()) {
      alive->end_();
    } else {
      alive->await();
    }
  });
}

}  // namespace flotilla::engine
