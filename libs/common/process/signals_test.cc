#include "common/process/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace flotilla::process {
namespace {

using std::chrono::seconds;

TEST(Signals, FirstTerminationAndHangupReachTheLoop) {
  const auto reactor = *Reactor::create();
  int terminated = 0;
  int reloaded = 0;
  const auto signals = Signals::create(*reactor, {.terminate =
                                                      [&] {
                                                        ++terminated;
                                                        reactor->stop();
                                                      },
                                                  .reload =
                                                      [&] {
                                                        ++reloaded;
                                                        ::raise(SIGTERM);
                                                      }});
  ASSERT_TRUE(signals.has_value());
  reactor->post([] { ::raise(SIGHUP); });
  reactor->runAfter(seconds(10), [&] { reactor->stop(); });
  reactor->run();
  EXPECT_EQ(reloaded, 1);
  EXPECT_EQ(terminated, 1);
}

TEST(Signals, ASecondTerminationIsNotASecondShutdown) {
  const auto reactor = *Reactor::create();
  int terminated = 0;
  const auto signals = Signals::create(*reactor, {.terminate =
                                                      [&] {
                                                        ++terminated;
                                                        reactor->post([&] {
                                                          ::raise(SIGINT);
                                                          reactor->post([&] { reactor->stop(); });
                                                        });
                                                      },
                                                  .reload = [] {}});
  reactor->post([] { ::raise(SIGTERM); });
  reactor->runAfter(seconds(10), [&] { reactor->stop(); });
  reactor->run();
  EXPECT_EQ(terminated, 1);
}

TEST(SignalsDeathTest, TheThirdLeavesAtOnceWithoutALoop) {
  EXPECT_EXIT(
      {
        const auto reactor = *Reactor::create();
        const auto signals = Signals::create(*reactor, {.terminate = [] {}, .reload = [] {}});
        for (int i = 0; i < 3; ++i) {
          ::kill(::getpid(), SIGINT);
        }
        ::_exit(1);
      },
      ::testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace flotilla::process
