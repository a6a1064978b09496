#include "engine/jobs/container_view.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

constexpr std::int64_t kOneSecond = 1'000'000'000;
constexpr std::int64_t kOneHour = 3600 * kOneSecond;
constexpr std::int64_t kOneDay = 24 * kOneHour;

TEST(ContainerView, WordsDurationsAsDocker) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "Less than a second"},
      {kOneSecond - 1, "Less than a second"},
      {kOneSecond, "1 second"},
      {59 * kOneSecond, "59 seconds"},
      {60 * kOneSecond, "About a minute"},
      {119 * kOneSecond, "About a minute"},
      {120 * kOneSecond, "2 minutes"},
      {kOneHour - kOneSecond, "59 minutes"},
      {kOneHour, "About an hour"},
      {kOneHour + 29 * 60 * kOneSecond, "About an hour"},
      {kOneHour + 30 * 60 * kOneSecond, "2 hours"},
      {47 * kOneHour, "47 hours"},
      {2 * kOneDay, "2 days"},
      {13 * kOneDay, "13 days"},
      {14 * kOneDay, "2 weeks"},
      {59 * kOneDay, "8 weeks"},
      {60 * kOneDay, "2 months"},
      {729 * kOneDay, "24 months"},
      {730 * kOneDay, "2 years"},
  };
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(humanDuration(duration), text) << duration;
  }
}

TEST(ContainerView, SaysTheStatusAsDocker) {
  constexpr std::int64_t kNow = 1000 * kOneHour;
  ContainerState state;
  EXPECT_EQ(statusText(state, kNow), "Created");
  state.status = ContainerStatus::Running;
  state.started_ns = kNow - 5 * kOneSecond;
  EXPECT_EQ(statusText(state, kNow), "Up 5 seconds");
  state.status = ContainerStatus::Paused;
  EXPECT_EQ(statusText(state, kNow), "Up 5 seconds (Paused)");
  state.exit_code = 137;
  state.status = ContainerStatus::Exited;
  EXPECT_EQ(statusText(state, kNow), "Created") << "a start that failed";
  state.finished_ns = kNow - 3 * kOneHour;
  EXPECT_EQ(statusText(state, kNow), "Exited (137) 3 hours ago");
  state.status = ContainerStatus::Restarting;
  EXPECT_EQ(statusText(state, kNow), "Restarting (137) 3 hours ago");
  state.status = ContainerStatus::Removing;
  EXPECT_EQ(statusText(state, kNow), "Removal In Progress");
  state.status = ContainerStatus::Dead;
  EXPECT_EQ(statusText(state, kNow), "Dead");
}

TEST(ContainerView, QuotesArgumentsWithSpaces) {
  ContainerSpec spec;
  spec.path = "sh";
  EXPECT_EQ(commandText(spec), "sh");
  spec.args = {"-c", "echo hi", ""};
  EXPECT_EQ(commandText(spec), "sh -c 'echo hi' ");
}

TEST(ContainerView, ATimeThatNeverWasIsGosZero) {
  EXPECT_EQ(timeText(0), "0001-01-01T00:00:00Z");
  EXPECT_EQ(timeText(kOneSecond), "1970-01-01T00:00:01Z");
}

}  // namespace
}  // namespace flotilla::engine
