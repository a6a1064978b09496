#include "engine/logs/log_reader.h"

#include <gtest/gtest.h>

#include "engine/logs/test_log.h"

namespace flotilla::engine {
namespace {

using testing_support::TestLog;

LogOptions rawOptions() {
  LogOptions options;
  options.with_stdout = options.with_stderr = true;
  options.multiplexed = false;
  return options;
}

std::string drain(LogReader& reader) {
  std::string out;
  while (true) {
    const auto state = reader.read(out);
    EXPECT_TRUE(state) << state.error().message();
    if (!state || *state != LogReader::State::More) {
      return out;
    }
  }
}

std::string readAll(const TestLog& log, const LogOptions& options) {
  auto reader = LogReader::open(log.path(), options);
  EXPECT_TRUE(reader);
  return reader ? drain(*reader) : "";
}

TEST(LogReader, ReadsPartsFromOldestToNewest) {
  const TestLog log;
  log.write("1");
  log.rotate();
  log.write("2");
  log.rotate();
  log.write("3");
  EXPECT_EQ(readAll(log, rawOptions()), "1\n2\n3\n");
}

TEST(LogReader, TreatsAMissingLogAsEmpty) { EXPECT_EQ(readAll(TestLog(), rawOptions()), ""); }

TEST(LogReader, FramesAndSelectsStreams) {
  const TestLog log;
  log.write("out");
  log.write("err", "stderr");
  LogOptions options = rawOptions();
  options.multiplexed = true;
  EXPECT_EQ(readAll(log, options), std::string("\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n", 24));
  options.with_stdout = false;
  EXPECT_EQ(readAll(log, options), std::string("\2\0\0\0\0\0\0\4err\n", 12));
}

TEST(LogReader, AddsTimestampsAndDetails) {
  const TestLog log;
  log.append(R"({"log":"x\n","stream":"stdout","attrs":{"k":"v"},"time":"2026-11-22T00:00:07Z"})"
             "\n");
  log.write("y", "stdout", 8);
  LogOptions options = rawOptions();
  options.timestamps = options.details = true;
  EXPECT_EQ(readAll(log, options),
            "2026-11-22T00:00:07.000000000Z k=v x\n2026-11-22T00:00:08.000000000Z  y\n");
}

TEST(LogReader, CountsTailBackwardsOverParts) {
  const TestLog log;
  for (int i = 0; i < 10; ++i) {
    log.write(std::to_string(i));
    if (i % 3 == 2) {
      log.rotate();
    }
  }
  LogOptions options = rawOptions();
  const std::string all = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";
  for (unsigned lines = 0; lines <= 12; ++lines) {
    options.tail = lines;
    EXPECT_EQ(readAll(log, options), all.substr(lines >= 10 ? 0 : 20 - 2 * lines)) << lines;
  }
}

TEST(LogReader, CountsTailOverManyBlocks) {
  const TestLog log;
  std::string bytes;
  for (int i = 0; i < 5000; ++i) {
    bytes += TestLog::line(std::to_string(i) + std::string(static_cast<std::size_t>(i) % 97, 'x'));
  }
  log.append(bytes);
  LogOptions options = rawOptions();
  options.tail = 4001;
  const std::string out = readAll(log, options);
  EXPECT_TRUE(out.starts_with("999xxx")) << out.substr(0, 20);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 4001);
}

TEST(LogReader, KeepsWithinSinceAndUntil) {
  const TestLog log;
  for (int second = 0; second < 10; ++second) {
    log.write(std::to_string(second), "stdout", second);
  }
  LogOptions options = rawOptions();
  options.since_ns = parseLogTime("2026-11-22T00:00:03Z");
  options.until_ns = parseLogTime("2026-11-22T00:00:05Z");
  EXPECT_EQ(readAll(log, options), "3\n4\n5\n");
}

TEST(LogReader, JoinsPartialLinesAndPassesOverTornOnes) {
  const TestLog log;
  log.append(R"({"log":"part","stream":"stdout","time":"2026-11-22T00:00:00Z"})"
             "\n");
  log.append("{\"log\":\"torn\n");
  log.write("ial");
  EXPECT_EQ(readAll(log, rawOptions()), "partial\n");
}

TEST(LogReader, ReadsOnWhereTheWriterGoesOn) {
  const TestLog log;
  auto reader = LogReader::open(log.path(), rawOptions()).value();
  EXPECT_EQ(drain(reader), "");
  log.write("1");
  const std::string second = TestLog::line("2");
  log.append(second.substr(0, 10));
  EXPECT_EQ(drain(reader), "1\n");
  log.append(second.substr(10));
  EXPECT_EQ(drain(reader), "2\n");
}

TEST(LogReader, LosesAndRepeatsNothingOverRotation) {
  const TestLog log;
  log.write("1");
  auto reader = LogReader::open(log.path(), rawOptions()).value();
  EXPECT_EQ(drain(reader), "1\n");
  log.write("2");  // into the part that is about to be rotated away
  log.rotate();
  EXPECT_EQ(drain(reader), "2\n");  // nothing at path for a moment
  log.write("3");
  log.rotate();
  log.write("4");
  log.rotate();
  log.write("5");
  EXPECT_EQ(drain(reader), "3\n4\n5\n");
  EXPECT_EQ(drain(reader), "");
}

TEST(LogReader, GoesOnWithWhatIsLeftWhenItsPartIsGone) {
  const TestLog log;
  log.write("1");
  auto reader = LogReader::open(log.path(), rawOptions()).value();
  EXPECT_EQ(drain(reader), "1\n");
  log.rotate();
  std::filesystem::remove(log.path() + ".1");
  log.write("2");
  log.rotate();
  log.write("3");
  EXPECT_EQ(drain(reader), "2\n3\n");
}

}  // namespace
}  // namespace flotilla::engine
