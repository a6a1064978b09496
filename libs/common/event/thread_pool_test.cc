#include "common/event/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

namespace flotilla {
namespace {

using std::chrono_literals::operator""s;

TEST(ThreadPool, StartsThreadsOnDemandUpToItsLimit) {
  ThreadPool pool({.name = "test", .max_threads = 3});
  EXPECT_EQ(pool.threads(), 0U);
  std::promise<void> release;
  std::shared_future<void> gate(release.get_future());
  std::atomic<int> running = 0;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(pool.post([gate, &running] {
      ++running;
      gate.wait();
    }));
  }
  EXPECT_EQ(pool.threads(), 3U);
  while (running < 3) {
    std::this_thread::yield();
  }
  EXPECT_EQ(pool.queued(), 2U);
  release.set_value();
}

TEST(ThreadPool, ReusesAnIdleThread) {
  ThreadPool pool({.name = "test", .max_threads = 8});
  for (int i = 0; i < 50; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(pool.post([&done] { done.set_value(); }));
    ASSERT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
  }
  EXPECT_LE(pool.threads(), 8U);
}

TEST(ThreadPool, GoesOnAfterAFunctionThrew) {
  std::promise<void> done;
  ThreadPool pool({.name = "test", .max_threads = 1});
  ASSERT_TRUE(pool.post([] { throw std::runtime_error("no"); }));
  ASSERT_TRUE(pool.post([] { throw 1; }));
  ASSERT_TRUE(pool.post([&done] { done.set_value(); }));
  EXPECT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
}

TEST(ThreadPool, RefusesWhenFull) {
  std::promise<void> release;  // before the pool, whose threads use them until it is gone
  std::promise<void> started;
  ThreadPool pool({.name = "test", .max_threads = 1, .max_queued = 2});
  ASSERT_TRUE(pool.post([&started, released = release.get_future().share()] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.post([] {}));
  EXPECT_TRUE(pool.post([] {}));
  EXPECT_FALSE(pool.post([] {}));
  release.set_value();
}

TEST(ThreadPool, RunsInOrderAndFinishesWhatIsQueued) {
  std::vector<int> order;
  {
    ThreadPool pool({.name = "test", .max_threads = 1});
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(pool.post([&order, i] { order.push_back(i); }));
    }
  }
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace flotilla
