// Execs that the shim was told of before they start. Nothing but time may tell the difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;
using What = JournalLine::What;

int parentOf(int pid) {
  std::istringstream status(readWhole("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("PPid:")) {
      return std::stoi(line.substr(5));
    }
  }
  return 0;
}

/// Gone, or reaped by nobody yet.
bool dead(int pid) {
  const std::string status = readWhole("/proc/" + std::to_string(pid) + "/status");
  return status.empty() || status.find("State:\tZ") != std::string::npos;
}

class ShimPrepareTest : public ShimTest {
 protected:
  void start() {
    makeBundle({"sleep", "100"});
    launch();
    init_ = go();
    // Until then a process of crun's, which ends a moment after crun.
    ASSERT_TRUE(eventually([this] {
      shim_ = parentOf(init_);
      return readWhole("/proc/" + std::to_string(shim_) + "/comm") == "flotilla-shim\n";
    }));
  }

  /// Runtimes that wait: children of the shim beside the container's first process.
  [[nodiscard]] std::vector<int> waiting() const {
    const std::string task = std::to_string(shim_);
    std::istringstream children(readWhole("/proc/" + task + "/task/" + task + "/children"));
    std::vector<int> found;
    for (int pid = 0; children >> pid;) {
      if (pid != init_ && !dead(pid)) {
        found.push_back(pid);
      }
    }
    return found;
  }

  /// Tells the shim, and waits until a runtime waits for this exec: its process ID.
  int prepare(const std::string& id, bool tty = false, bool with_stdin = false) {
    const std::vector<int> before = waiting();
    client().execPrepare({.exec_id = id, .tty = tty, .stdin_open = with_stdin});
    int found = 0;
    EXPECT_TRUE(eventually([&] {
      for (const int pid : waiting()) {
        found = std::find(before.begin(), before.end(), pid) == before.end() ? pid : found;
      }
      return found != 0;
    }));
    return found;
  }

  /// Output and exit code of exec `id`.
  std::pair<Output, int> run(const std::string& id, const std::string& process, bool tty = false) {
    const auto endpoint = client().execStart({.exec_id = id, .process_file = process, .tty = tty});
    if (!endpoint) {
      ADD_FAILURE() << endpoint.error().message();
      return {};
    }
    StreamClient stream(*endpoint);
    Output output = stream.readAll(tty);
    const auto state = client().execState(id);
    return {std::move(output), state && state->exit_code ? *state->exit_code : -1};
  }

  void endContainer() {
    EXPECT_TRUE(client().signal(SIGKILL));
    waitFor(What::End);
    waitGone();
    EXPECT_EQ(cgroupLeftovers(cgroup_), std::vector<std::string>{});
  }

  int init_ = 0;
  int shim_ = 0;
};

TEST_F(ShimPrepareTest, TheRuntimeThatWaitedRunsTheProcess) {
  start();
  const int runtime = prepare("e");
  const auto [output, code] =
      run("e", writeExec({"sh", "-c", "echo hello; echo oops >&2; exit 42"}));
  EXPECT_EQ(output.out, "hello\n");
  EXPECT_EQ(output.err, "oops\n");
  EXPECT_EQ(code, 42);
  EXPECT_EQ(waitFor(What::ExecExit).exec_id, "e");
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(dead(runtime));
  endContainer();
}

TEST_F(ShimPrepareTest, IsNoProcessOfTheContainerBeforeItsStart) {
  start();
  prepare("e");
  const auto pids = client().pids();
  ASSERT_TRUE(pids);
  EXPECT_EQ(*pids, std::vector<int>{init_});
  EXPECT_EQ(client().execState("e").error().kind(), ErrorKind::NotFound);
  endContainer();  // which does not wait for it
}

TEST_F(ShimPrepareTest, IsACgroupMemberWithTheContainersRights) {
  start();
  const auto facts = [this](const std::string& id) {
    return run(id, writeExec({"sh", "-c",
                              "cat /proc/self/cgroup; ls /proc/self/fd; ls -l /proc/self/ns |"
                              " sed 's/.*-> //'; grep -E 'Cap|Seccomp|NoNewPrivs|Groups'"
                              " /proc/self/status; umask; pwd; env"}))
        .first.out;
  };
  const std::string plain = facts("plain");
  prepare("prepared");
  EXPECT_EQ(facts("prepared"), plain);
  EXPECT_NE(plain.find("CapBnd"), std::string::npos);
}

TEST_F(ShimPrepareTest, OneThatIsNeverStartedLeaves) {
  start();
  prepare("a");
  prepare("b");
  client().execPrepare({.exec_id = "a"});  // known
  EXPECT_TRUE(eventually([this] { return waiting().empty(); }));
  EXPECT_EQ(run("a", writeExec({"true"})).second, 0);  // late, and as if never prepared
}

TEST_F(ShimPrepareTest, TheContainersEndTakesItAlong) {
  start();
  const int runtime = prepare("e");
  endContainer();
  EXPECT_TRUE(dead(runtime));
}

TEST_F(ShimPrepareTest, ItDoesNotOutliveTheShim) {
  start();
  const int runtime = prepare("e");
  ASSERT_EQ(::kill(shim_, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return dead(runtime); }));
  const std::string clean_up = "crun --root " + base_ + "/crun delete --force " + id_;
  EXPECT_EQ(std::system(clean_up.c_str()), 0);
  waitGone();
}

TEST_F(ShimPrepareTest, OtherStreamsThanExpectedAreMade) {
  start();
  prepare("tty", true);
  EXPECT_EQ(run("tty", writeExec({"sh", "-c", "tty || exit 3"})).second, 3);
  prepare("plain");
  const std::string process =
      writeExec({"sh", "-c", "tty"}, [](json& what) { what["terminal"] = true; });
  const auto [output, code] = run("plain", process, true);
  EXPECT_THAT(output.out, ::testing::HasSubstr("/dev/pts/"));
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(eventually([this] { return waiting().empty(); }));
}

TEST_F(ShimPrepareTest, ATerminalThatWasExpected) {
  start();
  prepare("e", true);
  const std::string process =
      writeExec({"sh", "-c", "tty; exit 5"}, [](json& what) { what["terminal"] = true; });
  const auto [output, code] = run("e", process, true);
  EXPECT_THAT(output.out, ::testing::HasSubstr("/dev/pts/"));
  EXPECT_EQ(code, 5);
}

TEST_F(ShimPrepareTest, InputThatWasExpected) {
  start();
  prepare("e", false, true);
  const auto endpoint =
      client().execStart({.exec_id = "e", .process_file = writeExec({"cat"}), .stdin_open = true});
  ASSERT_TRUE(endpoint);
  StreamClient stream(*endpoint);
  stream.send("through\n");
  stream.halfClose();
  EXPECT_EQ(stream.readAll().out, "through\n");
}

TEST_F(ShimPrepareTest, FailuresAreWordedAsEver) {
  start();
  prepare("missing");
  const auto [output, code] = run("missing", writeExec({"nope"}));
  EXPECT_EQ(output.out,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: "
            "\"nope\": executable file not found in $PATH\r\n");
  EXPECT_EQ(code, 127);
  EXPECT_TRUE(eventually([this] { return waiting().empty(); }));
  prepare("cwd");
  const auto refused = client().execStart(
      {.exec_id = "cwd",
       .process_file = writeExec({"true"}, [](json& what) { what["cwd"] = "/nowhere"; }),
       .detach = true});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("/nowhere"));
  EXPECT_TRUE(eventually([this] { return waiting().empty(); }));
}

TEST_F(ShimPrepareTest, AProcessOfAnyLengthIsTold) {
  start();
  for (const std::size_t length : {200'000U, 1'200'000U}) {  // the second: not through a pipe
    const std::string id = "long" + std::to_string(length);
    prepare(id);
    const auto [output, code] =
        run(id, writeExec({"sh", "-c", "env | wc -c"}, [length](json& what) {
              for (std::size_t at = 0; at < length; at += 100'000) {
                what["env"].push_back("V" + std::to_string(at) + "=" +
                                      std::string(std::min<std::size_t>(length, 99'990), 'x'));
              }
            }));
    EXPECT_EQ(code, 0);
    EXPECT_GT(output.out.empty() ? 0 : std::stoul(output.out), length - 1000);
  }
}

}  // namespace
}  // namespace flotilla::engine
