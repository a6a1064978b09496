#include "common/event/reactor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "common/os/unique_fd.h"

namespace flotilla {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

struct Pair {
  UniqueFd a, b;
};

Pair makePair() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void poke(const UniqueFd& fd) { ASSERT_EQ(::write(fd.get(), "x", 1), 1); }

class ReactorTest : public testing::Test {
 protected:
  /// Runs the loop until stop(), at most 10 s.
  void run() {
    auto guard = reactor_->runAfter(10s, [this] {
      ADD_FAILURE() << "the loop was not stopped in time";
      reactor_->stop();
    });
    reactor_->run();
    reactor_->cancelTimer(guard);
  }
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
};

TEST_F(ReactorTest, RunsPostedFunctionsInOrderFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::array<int, kThreads> last{};
  int total = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &last, &total] {
      for (int i = 1; i <= kEach; ++i) {
        reactor_->post([this, t, i, &last, &total] {
          EXPECT_EQ(last[t], i - 1);
          last[t] = i;
          EXPECT_TRUE(reactor_->inLoop());
          if (++total == kThreads * kEach) {
            reactor_->stop();
          }
        });
      }
    });
  }
  run();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(total, kThreads * kEach);
  EXPECT_FALSE(reactor_->inLoop());
}

TEST_F(ReactorTest, RunsWhatIsPostedAtStop) {
  bool ran = false;
  reactor_->post([this, &ran] {
    reactor_->stop();
    reactor_->post([this, &ran] { reactor_->post([&ran] { ran = true; }); });
  });
  run();
  EXPECT_TRUE(ran);
}

TEST_F(ReactorTest, StopBeforeRunReturnsAtOnce) {
  reactor_->stop();
  run();
}

TEST_F(ReactorTest, FiresTimersInOrderAndNotCancelledOnes) {
  std::vector<int> fired;
  reactor_->runAfter(20ms, [this, &fired] {
    fired.push_back(3);
    reactor_->stop();
  });
  reactor_->runAfter(1ms, [&fired] { fired.push_back(1); });
  auto cancelled = reactor_->runAfter(2ms, [&fired] { fired.push_back(99); });
  reactor_->runAfter(5ms, [&fired] { fired.push_back(2); });
  reactor_->cancelTimer(cancelled);
  reactor_->cancelTimer(cancelled);
  reactor_->cancelTimer(424242);
  run();
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

TEST_F(ReactorTest, ATimerMayCancelAnotherThatIsDueInTheSameRound) {
  int fired = 0;
  Reactor::TimerId second = 0;
  reactor_->runAfter(0ms, [this, &second] { reactor_->cancelTimer(second); });
  second = reactor_->runAfter(0ms, [&fired] { ++fired; });
  reactor_->runAfter(5ms, [this] { reactor_->stop(); });
  run();
  EXPECT_EQ(fired, 0);
}

TEST_F(ReactorTest, ATimerThatRearmsItselfDoesNotStarveDescriptors) {
  Pair pair = makePair();
  std::function<void()> again = [this, &again] { reactor_->runAfter(0ms, again); };
  again();
  ASSERT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [this](std::uint32_t) { reactor_->stop(); }));
  poke(pair.b);
  run();
}

TEST_F(ReactorTest, ReportsReadinessByLevel) {
  Pair pair = makePair();
  int calls = 0;
  ASSERT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLIN);
    if (++calls == 3) {
      reactor_->stop();
    }
  }));
  poke(pair.b);
  run();
  EXPECT_EQ(calls, 3);
  reactor_->unwatch(pair.a.get());
}

TEST_F(ReactorTest, NoCallbackAfterUnwatchInTheSameRound) {
  Pair one = makePair();
  Pair two = makePair();
  int calls = 0;
  auto callback = [&](std::uint32_t) {
    ++calls;
    reactor_->unwatch(one.a.get());
    reactor_->unwatch(two.a.get());
    reactor_->runAfter(1ms, [this] { reactor_->stop(); });
  };
  ASSERT_TRUE(reactor_->watch(one.a.get(), EPOLLIN, callback));
  ASSERT_TRUE(reactor_->watch(two.a.get(), EPOLLIN, callback));
  poke(one.b);
  poke(two.b);
  run();
  EXPECT_EQ(calls, 1);
}

TEST_F(ReactorTest, AStaleEventNeverReachesANewOwnerOfTheNumber) {
  Pair first = makePair();
  Pair second = makePair();
  Pair fresh = makePair();
  int wrong = 0;
  auto takeOver = [&](UniqueFd& other) {
    const int number = other.get();
    reactor_->unwatch(first.a.get());
    reactor_->unwatch(second.a.get());
    ASSERT_EQ(::dup3(fresh.a.get(), number, O_CLOEXEC), number);  // closes and reuses the number
    ASSERT_TRUE(reactor_->watch(number, EPOLLIN, [&wrong](std::uint32_t) { ++wrong; }));
    reactor_->runAfter(1ms, [this] { reactor_->stop(); });
  };
  // Whichever runs first replaces the other, whose event is already in the same batch.
  ASSERT_TRUE(reactor_->watch(first.a.get(), EPOLLIN, [&](std::uint32_t) { takeOver(second.a); }));
  ASSERT_TRUE(reactor_->watch(second.a.get(), EPOLLIN, [&](std::uint32_t) { takeOver(first.a); }));
  poke(first.b);
  poke(second.b);
  run();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ReactorTest, ACallbackMayRemoveAndWatchItselfAgain) {
  Pair pair = makePair();
  auto witness = std::make_shared<int>(7);
  int second_calls = 0;
  ASSERT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [&, witness](std::uint32_t) {
    reactor_->unwatch(pair.a.get());
    ASSERT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [&](std::uint32_t) {
      ++second_calls;
      reactor_->stop();
    }));
    EXPECT_EQ(*witness, 7);  // our own captures are still alive
  }));
  poke(pair.b);
  run();
  EXPECT_EQ(second_calls, 1);
  EXPECT_EQ(witness.use_count(), 1);
}

TEST_F(ReactorTest, ModifyChangesWhatIsReported) {
  Pair pair = makePair();
  poke(pair.b);
  ASSERT_TRUE(reactor_->watch(pair.a.get(), 0, [&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLOUT);
    EXPECT_FALSE(events & EPOLLIN);
    reactor_->stop();
  }));
  reactor_->runAfter(5ms, [&] { reactor_->modify(pair.a.get(), EPOLLOUT); });
  run();
}

TEST_F(ReactorTest, RefusesBadAndDoubleWatches) {
  Pair pair = makePair();
  EXPECT_FALSE(reactor_->watch(-1, EPOLLIN, [](std::uint32_t) {}));
  ASSERT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [](std::uint32_t) {}));
  EXPECT_FALSE(reactor_->watch(pair.a.get(), EPOLLIN, [](std::uint32_t) {}));
  reactor_->unwatch(pair.a.get());
  reactor_->unwatch(pair.a.get());
  EXPECT_TRUE(reactor_->watch(pair.a.get(), EPOLLIN, [](std::uint32_t) {}));
}

}  // namespace
}  // namespace flotilla
