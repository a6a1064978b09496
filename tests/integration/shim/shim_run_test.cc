// A container from launch to end, without and with clients attached.
#include <sched.h>
#include <sys/mount.h>

#include <thread>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;

TEST_F(ShimTest, RunsAndReportsTheExitCode) {
  makeBundle({"sh", "-c", "echo out; echo err >&2; exit 7"});
  launch();
  const int pid = go();
  EXPECT_GT(pid, 0);
  const JournalLine start = waitFor(What::Start);
  EXPECT_EQ(start.pid, pid);
  EXPECT_FALSE(start.boot.empty());
  const JournalLine exit = waitFor(What::Exit);
  EXPECT_EQ(exit.exit_code, 7);
  EXPECT_FALSE(exit.oom);
  EXPECT_GT(exit.seq, start.seq);
  EXPECT_NE(log().find(R"({"log":"out\n","stream":"stdout","time":")"), std::string::npos);
  EXPECT_NE(log().find(R"({"log":"err\n","stream":"stderr","time":")"), std::string::npos);
  waitFor(What::End);
  waitGone();
}

TEST_F(ShimTest, AttachBeforeStartSeesEveryByte) {
  makeBundle({"sh", "-c", "echo first; echo second >&2"});
  launch();
  const StreamEndpoint endpoint = attachBeforeStart();
  go();
  StreamClient stream(endpoint);  // even when it comes after the process has ended
  const Output output = stream.readAll();
  EXPECT_EQ(output.out, "first\n");
  EXPECT_EQ(output.err, "second\n");
  EXPECT_EQ(waitFor(What::Exit).exit_code, 0);
  waitGone();
}

TEST_F(ShimTest, StdinIsHalfClosed) {
  spec_.open_stdin = true;
  spec_.stdin_once = true;
  makeBundle({"cat"});
  launch();
  StreamClient stream(attachBeforeStart(true));
  stream.send("before the start\n");
  go();
  stream.send("after\n");
  stream.halfClose();
  EXPECT_EQ(stream.readAll().out, "before the start\nafter\n");
  EXPECT_EQ(waitFor(What::Exit).exit_code, 0);
  waitGone();
}

TEST_F(ShimTest, SignalsBecomeExitCodes) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  ASSERT_TRUE(client().signal(9).has_value());
  EXPECT_EQ(waitFor(What::Exit).exit_code, 137);
  waitGone();
}

TEST_F(ShimTest, ExecRunsBesideTheContainer) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  const auto [output, code] = exec({"sh", "-c", "echo hello; echo oops >&2; exit 42"});
  EXPECT_EQ(output.out, "hello\n");
  EXPECT_EQ(output.err, "oops\n");
  EXPECT_EQ(code, 42);
  const JournalLine line = waitFor(What::ExecExit);
  EXPECT_EQ(line.exit_code, 42);
  EXPECT_EQ(line.exec_id, "exec1");
}

TEST_F(ShimTest, EndOfACreatedContainer) {
  makeBundle({"true"});
  launch();
  StreamClient stream(attachBeforeStart());
  ASSERT_TRUE(client().end().has_value());
  EXPECT_EQ(stream.readAll().out, "");
  waitFor(What::End);
  waitGone();
}

TEST_F(ShimTest, NothingButStdioReachesTheContainer) {
  makeBundle({"ls", "/proc/self/fd"});
  launch();
  StreamClient stream(attachBeforeStart());
  go();
  EXPECT_EQ(stream.readAll().out, "0\n1\n2\n3\n");  // 3: ls reading the directory
  waitGone();
}

TEST_F(ShimTest, NothingIsMountedOnAHostWithSharedMounts) {
  makeBundle({"sleep", "100"});
  // A thread of its own stands for such a host: it has its own mount namespace, and the shim it
  // starts begins there.
  std::thread([this] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("", "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
    const std::string before = readWhole("/proc/thread-self/mountinfo");
    launch();
    go();
    EXPECT_EQ(readWhole("/proc/thread-self/mountinfo"), before);
    EXPECT_TRUE(client().signal(9).has_value());
    waitGone();
    EXPECT_EQ(readWhole("/proc/thread-self/mountinfo"), before);
  }).join();
}

}  // namespace
}  // namespace flotilla::engine
