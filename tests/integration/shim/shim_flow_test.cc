// Slow readers, much output, restarts, limits.
#include <fcntl.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;
using nlohmann::json;

/// What `seq count` prints: no byte can be lost unseen.
std::string numbers(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += std::to_string(i);
    text += '\n';
  }
  return text;
}

/// The same in lines of about 100 bytes, as programs write them: the log costs by the line.
const std::string kPadding(90, '.');

std::vector<std::string> countInLongLines(int count) {
  return {"seq", "-s", kPadding + "\n", std::to_string(count)};
}

std::string longLines(int count) {
  std::string text;
  for (int i = 1; i < count; ++i) {
    text += std::to_string(i) + kPadding + "\n";
  }
  return text + std::to_string(count) + "\n";
}

constexpr int kLongLines = 1'030'000;  // 100 MB

void expectSame(const std::string& got, const std::string& want) {
  EXPECT_EQ(got.size(), want.size());
  EXPECT_TRUE(got == want) << "the bytes differ";
}

class ShimFlowTest : public ShimTest {
 protected:
  /// Lets the process run into its reader before the reader wakes.
  static void nap() { std::this_thread::sleep_for(std::chrono::seconds(2)); }

  /// A reader sleeps while more goes by than the log keeps: what it gets is a beginning of the
  /// output without a gap, and then it is told.
  void expectToldOfRotation(unsigned files) {
    constexpr int kCount = 2'000'000;
    spec_.open_stdin = true;
    spec_.log.max_size = 1U << 20U;
    spec_.log.max_files = files;
    makeBundle({"sh", "-c", "read x; seq " + std::to_string(kCount)});
    launch();
    go();
    AttachOptions options;
    options.stdin_open = true;
    const auto endpoint = client().attach(options);
    ASSERT_TRUE(endpoint.has_value());
    StreamClient stream(*endpoint);
    stream.send("\n");
    EXPECT_EQ(waitFor(What::Exit).exit_code, 0);  // nobody has read yet
    const Output output = stream.readAll();
    const std::string all = numbers(kCount);
    EXPECT_TRUE(all.starts_with(output.out)) << "a gap in the output";
    EXPECT_GT(output.out.size(), 0U);
    EXPECT_LT(output.out.size(), all.size());
    // Which of the two depends on where the reader was when its part went.
    EXPECT_TRUE(output.system.find("rotated away") != std::string::npos ||
                output.system.find("is gone") != std::string::npos)
        << output.system;
    waitGone();
  }
};

TEST_F(ShimFlowTest, RunToASleepingReaderLosesNothing) {
  makeBundle(countInLongLines(kLongLines));
  launch();
  StreamClient stream(attachBeforeStart());
  go();
  nap();
  expectSame(stream.readAll(false, std::chrono::seconds(60)).out, longLines(kLongLines));
  EXPECT_EQ(waitFor(What::Exit).exit_code, 0);
  waitGone();
}

TEST_F(ShimFlowTest, ExecToASleepingReaderLosesNothing) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  ExecStart start;
  start.exec_id = "e";
  start.process_file = writeExec(countInLongLines(kLongLines));
  const auto endpoint = client().execStart(start);
  ASSERT_TRUE(endpoint.has_value());
  StreamClient stream(*endpoint);
  nap();
  expectSame(stream.readAll(false, std::chrono::seconds(60)).out, longLines(kLongLines));
  EXPECT_EQ(client().execState("e")->exit_code, 0);
}

TEST_F(ShimFlowTest, LateAttachToASleepingReaderLosesNothing) {
  spec_.open_stdin = true;
  spec_.log.max_size = 0;
  makeBundle(
      {"sh", "-c",
       "read x; seq -s '" + kPadding + "\n' " + std::to_string(kLongLines) + "; echo end >&2"});
  launch();
  go();
  AttachOptions options;
  options.stdin_open = true;
  const auto endpoint = client().attach(options);
  ASSERT_TRUE(endpoint.has_value());
  StreamClient stream(*endpoint);
  stream.send("\n");
  nap();
  const Output output = stream.readAll(false, std::chrono::seconds(60));
  expectSame(output.out, longLines(kLongLines));
  EXPECT_EQ(output.err, "end\n");
  EXPECT_EQ(output.system, "");
  waitGone();
}

TEST_F(ShimFlowTest, ASlowLateReaderDoesNotStallTheContainer) {
  spec_.open_stdin = true;
  spec_.log.max_size = 0;
  makeBundle({"sh", "-c", "read x; seq 1000000; exit 3"});
  launch();
  go();
  AttachOptions options;
  options.stdin_open = true;
  const auto endpoint = client().attach(options);
  ASSERT_TRUE(endpoint.has_value());
  StreamClient stream(*endpoint);
  stream.send("\n");
  EXPECT_EQ(waitFor(What::Exit).exit_code, 3);  // nobody has read yet
  expectSame(stream.readAll().out, numbers(1000000));
  waitGone();
}

TEST_F(ShimFlowTest, ALateReaderBehindRotatedLogsIsTold) { expectToldOfRotation(3); }

TEST_F(ShimFlowTest, ALateReaderBehindALogFileUsedOverAgainIsTold) { expectToldOfRotation(1); }

TEST_F(ShimFlowTest, AttachReplaysTheLogFirst) {
  spec_.open_stdin = true;
  makeBundle({"sh", "-c", "seq 5; echo err >&2; echo READY; read x; echo more"});
  launch();
  go();
  ASSERT_TRUE(eventually([this] { return log().find("READY") != std::string::npos; }));
  AttachOptions options;
  options.logs = true;
  options.stdin_open = true;
  StreamClient stream(*client().attach(options));
  stream.readUntil("READY");
  stream.send("\n");
  EXPECT_EQ(stream.readAll().out, "more\n");
  waitGone();
}

TEST_F(ShimFlowTest, LogsRotate) {
  spec_.log.max_size = 100000;
  spec_.log.max_files = 3;
  makeBundle({"seq", "20000"});
  launch();
  go();
  waitFor(What::Exit);
  waitGone();
  EXPECT_TRUE(std::filesystem::exists(log_path_ + ".2"));
  EXPECT_FALSE(std::filesystem::exists(log_path_ + ".3"));
  EXPECT_NE(log().find("{\"log\":\"20000\\n\""), std::string::npos);
  EXPECT_LT(std::filesystem::file_size(log_path_ + ".1"), 100100U);
}

TEST_F(ShimFlowTest, EveryLineIsInTheLogInOrder) {
  spec_.log.max_size = 0;
  makeBundle({"seq", "200000"});
  launch();
  go();
  waitFor(What::Exit);
  const std::string text = log();
  std::size_t at = 0;
  for (int i = 1; i <= 200000; ++i) {
    const std::string want = "{\"log\":\"" + std::to_string(i) + "\\n\",";
    ASSERT_EQ(text.compare(at, want.size(), want), 0) << "at line " << i;
    at = text.find('\n', at) + 1;
  }
  waitGone();
}

TEST_F(ShimFlowTest, RestartsOnFailureAsOftenAsAsked) {
  spec_.restart = {"on-failure", 2};
  makeBundle({"sh", "-c", "echo run; exit 4"});
  launch();
  go();
  const JournalLine first = waitFor(What::Exit, std::chrono::seconds(15), 1);
  EXPECT_TRUE(first.restarting);
  EXPECT_EQ(first.delay_ms, 100);
  const JournalLine second = waitFor(What::Exit, std::chrono::seconds(15), 2);
  EXPECT_EQ(second.delay_ms, 200);
  const JournalLine last = waitFor(What::Exit, std::chrono::seconds(15), 3);
  EXPECT_FALSE(last.restarting);
  EXPECT_EQ(last.exit_code, 4);
  EXPECT_EQ(last.restarts, 2U);
  waitGone();
}

TEST_F(ShimFlowTest, StoppingCallsARestartOff) {
  spec_.restart = {"always", 0};
  makeBundle({"false"});
  launch();
  go();
  waitFor(What::Exit, std::chrono::seconds(15), 2);
  ASSERT_TRUE(client().stopping(true).has_value());
  waitFor(What::End);
  waitGone();
}

TEST_F(ShimFlowTest, OutOfMemoryIsNoticed) {
  makeBundle({"sh", "-c", "x=x; while :; do x=$x$x; done"}, [](json& config) {
    config["linux"]["resources"]["memory"] = {{"limit", 16 << 20}, {"swap", 16 << 20}};
  });
  launch();
  go();
  const JournalLine exit = waitFor(What::Exit, std::chrono::seconds(30));
  EXPECT_TRUE(exit.oom);
  EXPECT_EQ(exit.exit_code, 137);
  waitGone();
}

TEST_F(ShimFlowTest, AStrangerHoldingThePipeDelaysTheExitByTwoSeconds) {
  makeBundle({"sleep", "100"});
  launch();
  const int pid = go();
  // A process outside the container keeps its standard output open.
  const UniqueFd stranger(
      ::open(("/proc/" + std::to_string(pid) + "/fd/1").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(stranger.valid());
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(client().signal(9).has_value());
  EXPECT_EQ(waitFor(What::Exit).exit_code, 137);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(took, std::chrono::milliseconds(1800));
  EXPECT_LT(took, std::chrono::milliseconds(4000));
  waitGone();
}

TEST_F(ShimFlowTest, AKilledReaderDoesNotStopTheContainer) {
  spec_.log.max_size = 0;
  makeBundle({"seq", "3000000"});
  launch();
  auto stream = std::make_unique<StreamClient>(attachBeforeStart());
  go();
  stream->readUntil("1000\n");
  stream.reset();
  EXPECT_EQ(waitFor(What::Exit, std::chrono::seconds(30)).exit_code, 0);
  EXPECT_NE(log().find("{\"log\":\"3000000\\n\""), std::string::npos);
  waitGone();
}

}  // namespace
}  // namespace flotilla::engine
