// A container from launch to end, without and with clients attached.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <set>
#include <sstream>
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

TEST_F(ShimTest, TheSameRunMayBeAskedForAgain) {
  makeBundle({"sleep", "100"});
  launch();
  std::vector<std::future<Result<int>>> asked;
  for (int i = 0; i < 4; ++i) {
    asked.push_back(std::async(std::launch::async,
                               [this] { return client().go(std::chrono::seconds(20), 1); }));
  }
  std::set<int> pids;
  for (auto& answer : asked) {
    const auto pid = answer.get();
    ASSERT_TRUE(pid.has_value()) << pid.error().message();
    pids.insert(*pid);
  }
  EXPECT_EQ(pids.size(), 1U);
  const auto another = client().go(std::chrono::seconds(20), 2);
  ASSERT_FALSE(another.has_value());
  EXPECT_EQ(another.error().kind(), ErrorKind::Conflict);
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

TEST_F(ShimTest, AnExecDoesNothingToTheHostsDevNull) {
  struct stat before {};
  ASSERT_EQ(::stat("/dev/null", &before), 0);
  makeBundle({"sleep", "100"});
  launch();
  go();
  // Root in the container; and crun itself gives an exec's streams to the exec's user.
  const auto [output, code] =
      exec({"sh", "-c",
            "cd /proc/self/fd; cat; echo gone >0; chmod 600 0 && echo 1; chown 5 0 && echo 2"});
  EXPECT_EQ(output.out, "");
  EXPECT_NE(code, 0);
  struct stat after {};
  ASSERT_EQ(::stat("/dev/null", &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(::chmod("/dev/null", before.st_mode), 0);  // a host whose test fails goes on
  EXPECT_EQ(::chown("/dev/null", before.st_uid, before.st_gid), 0);
}

/// The lines of /proc/PID/cgroup that name the container, e.g. "8:pids:/flotilla/x".
std::vector<std::string> membership(const std::string& text, const std::string& cgroup) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with(":" + cgroup)) {
      lines.push_back(line);
    }
  }
  return lines;
}

TEST_F(ShimTest, ExecIsAMemberOfEveryCgroupOfTheContainer) {
  makeBundle({"sleep", "100"});
  launch();
  const int pid = go();
  const auto wanted = membership(readWhole("/proc/" + std::to_string(pid) + "/cgroup"), cgroup_);
  ASSERT_FALSE(wanted.empty());
  for (int round = 0; round < 2; ++round) {
    // Its own cgroup namespace shows the container's as the root: read from outside.
    const std::string id = "held" + std::to_string(round);
    const auto endpoint =
        client().execStart({.exec_id = id, .process_file = writeExec({"cat"}), .stdin_open = true});
    ASSERT_TRUE(endpoint);
    StreamClient stream(*endpoint);
    int exec_pid = 0;
    ASSERT_TRUE(eventually([&] {
      const auto state = client().execState(id);
      exec_pid = state ? state->pid : 0;
      return exec_pid != 0;
    }));
    EXPECT_EQ(membership(readWhole("/proc/" + std::to_string(exec_pid) + "/cgroup"), cgroup_),
              wanted);
    const auto pids = client().pids();
    ASSERT_TRUE(pids);
    EXPECT_THAT(*pids, ::testing::IsSupersetOf({pid, exec_pid}));
    stream.halfClose();
    stream.readAll();
  }
}

TEST_F(ShimTest, ARestartAfterAnExecIsInTheCgroupAgain) {
  spec_.restart = {.name = "always"};
  makeBundle({"sleep", "100"});
  launch();
  const int first = go();
  EXPECT_EQ(exec({"true"}).second, 0);
  const auto wanted = membership(readWhole("/proc/" + std::to_string(first) + "/cgroup"), cgroup_);
  ASSERT_TRUE(client().signal(SIGKILL));
  const JournalLine again = waitFor(What::Start, std::chrono::seconds(15), 2);
  EXPECT_NE(again.pid, first);
  EXPECT_EQ(membership(readWhole("/proc/" + std::to_string(again.pid) + "/cgroup"), cgroup_),
            wanted);
  EXPECT_EQ(exec({"true"}).second, 0);
  EXPECT_TRUE(client().stopping(true));
  EXPECT_TRUE(client().signal(SIGKILL));
  waitGone();
  EXPECT_EQ(cgroupLeftovers(cgroup_), std::vector<std::string>{});
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
