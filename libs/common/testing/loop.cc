#include "common/testing/loop.h"

namespace flotilla::testing {

bool runUntil(Reactor& reactor, const std::function<bool()>& done,
              std::chrono::milliseconds limit) {
  const auto deadline = Reactor::Clock::now() + limit;
  bool met = false;
  std::function<void()> look = [&] {
    met = done();
    if (met || Reactor::Clock::now() >= deadline) {
      reactor.stop();
    } else {
      reactor.runAfter(std::chrono::milliseconds(1), look);
    }
  };
  reactor.post([&] { look(); });
  reactor.run();
  return met;
}

}  // namespace flotilla::testing
