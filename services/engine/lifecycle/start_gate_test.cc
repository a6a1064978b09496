#include "engine/lifecycle/start_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kLong{30};

TEST(StartGateTest, LetsAFewInAtATime) {
  StartGate gate(2);
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      const auto turn = gate.take(kLong);
      const int now = ++inside;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --inside;
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_GE(most, 1);
  EXPECT_LE(most, 2);
}

TEST(StartGateTest, ATurnIsHandedOn) {
  StartGate gate(1);
  std::optional<StartGate::Turn> first(gate.take(kLong));
  std::atomic<bool> in = false;
  std::thread second([&] {
    const auto turn = gate.take(kLong);
    in = true;
  });
  EXPECT_FALSE(in);
  first.reset();
  second.join();
  EXPECT_TRUE(in);
  const auto third = gate.take(kLong);  // free again
}

TEST(StartGateTest, BehindOneThatHangsTheOthersGoAhead) {
  StartGate gate(1);
  {
    const auto hangs = gate.take(kLong);
    const auto impatient = gate.take(std::chrono::milliseconds(1));
    const auto another = gate.take(std::chrono::milliseconds(1));
  }
  // Those two gave back nothing that they never had.
  const auto only = gate.take(kLong);
  std::atomic<bool> in = false;
  std::thread waits([&] {
    const auto turn = gate.take(std::chrono::milliseconds(50));
    in = true;
  });
  EXPECT_FALSE(in);
  waits.join();
}

}  // namespace
}  // namespace flotilla::engine
