// Terminals and input.
#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;
using nlohmann::json;

class ShimTtyTest : public ShimTest {
 protected:
  StreamEndpoint attachNow(bool with_stdin = true) {
    AttachOptions options;
    options.stdin_open = with_stdin;
    const auto endpoint = client().attach(options);
    EXPECT_TRUE(endpoint.has_value());
    return endpoint.value_or(StreamEndpoint{});
  }
};

TEST_F(ShimTtyTest, TheTerminalHasTheSizeItWasGiven) {
  spec_.tty = true;
  spec_.open_stdin = true;
  spec_.height = 33;
  spec_.width = 111;
  makeBundle({"sh", "-c", "read x; stty size; read x; stty size"});
  launch();
  StreamClient stream(attachNow());
  go();
  stream.send("\n");
  EXPECT_NE(stream.readUntil("33 111").find("33 111"), std::string::npos);
  ASSERT_TRUE(client().resize(40, 120).has_value());
  stream.send("\n");
  EXPECT_NE(stream.readUntil("40 120").find("40 120"), std::string::npos);
  EXPECT_EQ(waitFor(What::Exit).exit_code, 0);
  waitGone();
}

TEST_F(ShimTtyTest, DetachKeysLeaveTheContainerRunning) {
  spec_.tty = true;
  spec_.open_stdin = true;
  makeBundle({"sh"});
  launch();
  StreamClient stream(attachNow());
  go();
  stream.send("echo a-$((1+1))\n");
  stream.readUntil("a-2");
  stream.send("\x10");
  stream.send("\x11");
  stream.readAll(true);
  EXPECT_EQ(client().pids()->size(), 1U);
  StreamClient again(attachNow());
  again.send("echo b-$((2+2)); exit 5\n");
  again.readUntil("b-4");
  EXPECT_EQ(waitFor(What::Exit).exit_code, 5);
  waitGone();
}

TEST_F(ShimTtyTest, CtrlCInterrupts) {
  spec_.tty = true;
  spec_.open_stdin = true;
  makeBundle({"sh", "-c", "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 1; done"});
  launch();
  StreamClient stream(attachNow());
  go();
  stream.readUntil("ready");
  stream.send("\x03");
  EXPECT_NE(stream.readAll(true).out.find("caught"), std::string::npos);
  EXPECT_EQ(waitFor(What::Exit).exit_code, 9);
  waitGone();
}

TEST_F(ShimTtyTest, ExecWithATerminal) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  ExecStart start;
  start.exec_id = "t";
  start.tty = true;
  start.stdin_open = true;
  start.height = 20;
  start.width = 50;
  start.process_file = writeExec({"sh", "-c", "read x; stty size; exit 3"},
                                 [](json& process) { process["terminal"] = true; });
  const auto endpoint = client().execStart(start);
  ASSERT_TRUE(endpoint.has_value());
  StreamClient stream(*endpoint);
  stream.send("\n");
  const std::string out = stream.readAll(true).out;
  EXPECT_NE(out.find("20 50"), std::string::npos) << out;
  EXPECT_EQ(client().execState("t")->exit_code, 3);
}

TEST_F(ShimTtyTest, ExecReadsItsStdinToTheEnd) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  ExecStart start;
  start.exec_id = "in";
  start.stdin_open = true;
  start.process_file = writeExec({"md5sum"});
  const auto endpoint = client().execStart(start);
  ASSERT_TRUE(endpoint.has_value());
  StreamClient stream(*endpoint);
  stream.send(std::string(4 << 20, 'x'));  // more than any pipe holds
  stream.halfClose();
  EXPECT_EQ(stream.readAll().out, "44981362d3ba9b5bacaf017c2f29d355  -\n");
}

TEST_F(ShimTtyTest, UserAndGroupsComeFromTheRoot) {
  makeBundle({"sh", "-c", "id; env; pwd"}, [](json& config) {
    config["annotations"]["org.flotilla.user"] = "user";
    config["annotations"]["org.flotilla.group_add"] = R"(["wheel","4242"])";
    config["process"]["cwd"] = "/made/here";
  });
  launch();
  StreamClient stream(attachBeforeStart());
  go();
  const std::string out = stream.readAll().out;
  EXPECT_NE(out.find("uid=1000(user) gid=1001 groups=10(wheel),77(extra),1001,4242"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("HOME=/home/user"), std::string::npos) << out;
  EXPECT_NE(out.find("/made/here\n"), std::string::npos) << out;
  waitGone();
}

}  // namespace
}  // namespace flotilla::engine
