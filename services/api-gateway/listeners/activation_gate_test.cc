#include "api-gateway/listeners/activation_gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "api-gateway/testing/recorded_exchange.h"

namespace flotilla::gateway {
namespace {

using std::chrono::milliseconds;

class ActivationGateTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reactor> reactor_ = *Reactor::create();
};

std::shared_ptr<RecordedExchange> exchange() { return std::make_shared<RecordedExchange>(); }

TEST_F(ActivationGateTest, HoldsRequestsUntilItOpensAndKeepsTheirOrder) {
  ActivationGate gate(*reactor_, {});
  std::vector<int> passed;
  gate.pass(exchange(), [&] { passed.push_back(1); });
  gate.pass(exchange(), [&] { passed.push_back(2); });
  EXPECT_TRUE(passed.empty());
  EXPECT_EQ(gate.waiting(), 2U);
  gate.open();
  EXPECT_EQ(passed, (std::vector{1, 2}));
  gate.pass(exchange(), [&] { passed.push_back(3); });
  EXPECT_EQ(passed, (std::vector{1, 2, 3}));
}

TEST_F(ActivationGateTest, AnswersUnavailableToThoseWhoWaitedTooLong) {
  ActivationGate gate(*reactor_, {.longest_wait = milliseconds(5)});
  const auto waited = exchange();
  bool passed = false;
  gate.pass(waited, [&] { passed = true; });
  reactor_->runAfter(milliseconds(50), [&] { reactor_->stop(); });
  reactor_->run();
  EXPECT_EQ(waited->status(), 503);
  EXPECT_NE(waited->response()->body.find("not ready"), std::string::npos);
  gate.open();
  EXPECT_FALSE(passed);
}

TEST_F(ActivationGateTest, BoundsHowManyWait) {
  ActivationGate gate(*reactor_, {.most_waiting = 1});
  const auto first = exchange();
  const auto second = exchange();
  gate.pass(first, [] {});
  gate.pass(second, [] {});
  EXPECT_EQ(first->status(), 0);
  EXPECT_EQ(second->status(), 503);
}

TEST_F(ActivationGateTest, RefusesEverybodyOnTheWayDown) {
  ActivationGate gate(*reactor_, {});
  const auto waiting = exchange();
  const auto late = exchange();
  bool passed = false;
  gate.pass(waiting, [&] { passed = true; });
  gate.shut("the daemon is shutting down");
  gate.pass(late, [&] { passed = true; });
  EXPECT_EQ(waiting->status(), 503);
  EXPECT_EQ(late->status(), 503);
  EXPECT_EQ(late->response()->body, "{\"message\":\"the daemon is shutting down\"}\n");
  EXPECT_FALSE(passed);
}

}  // namespace
}  // namespace flotilla::gateway
