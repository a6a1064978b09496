// What does not start, in Docker's words (dockerd 28.5.2, without its "runc create failed: ").
#include <filesystem>
#include <fstream>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;
using nlohmann::json;

constexpr const char* kRun =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "unable to start container process: error during container init: ";
constexpr const char* kExec =
    "OCI runtime exec failed: exec failed: unable to start container process: ";

class ShimErrorsTest : public ShimTest {
 protected:
  void expectFailure(const std::string& message, int code, ErrorKind kind) {
    launch();
    const auto pid = client().go(std::chrono::seconds(10));
    ASSERT_FALSE(pid.has_value());
    EXPECT_EQ(pid.error().message(), message);
    EXPECT_EQ(pid.error().kind(), kind);
    const JournalLine line = waitFor(What::StartFailed);
    EXPECT_EQ(line.exit_code, code);
    EXPECT_EQ(line.error, message);
    waitFor(What::End);
    waitGone();
  }
};

TEST_F(ShimErrorsTest, ProgramNotInPath) {
  makeBundle({"nope"});
  expectFailure(std::string(kRun) + "exec: \"nope\": executable file not found in $PATH", 127,
                ErrorKind::InvalidArgument);
}

TEST_F(ShimErrorsTest, ProgramMissing) {
  makeBundle({"/nope"});
  expectFailure(std::string(kRun) + "exec: \"/nope\": stat /nope: no such file or directory", 127,
                ErrorKind::InvalidArgument);
}

TEST_F(ShimErrorsTest, ProgramIsADirectory) {
  makeBundle({"/etc"});
  expectFailure(std::string(kRun) + "exec: \"/etc\": is a directory: permission denied", 126,
                ErrorKind::InvalidArgument);
}

TEST_F(ShimErrorsTest, ProgramNotExecutable) {
  makeBundle({"/etc/passwd"});
  expectFailure(std::string(kRun) + "exec: \"/etc/passwd\": permission denied", 126,
                ErrorKind::InvalidArgument);
}

TEST_F(ShimErrorsTest, ProgramMissingBehindAMount) {
  // With a mount over part of the root only the runtime can tell.
  makeBundle({"/data/nope"}, [](json& config) {
    config["mounts"].push_back({{"destination", "/data"}, {"type", "tmpfs"}, {"source", "tmpfs"}});
  });
  expectFailure(
      std::string(kRun) + "exec: \"/data/nope\": stat /data/nope: no such file or directory", 127,
      ErrorKind::InvalidArgument);
}

TEST_F(ShimErrorsTest, UnknownUser) {
  makeBundle({"true"}, [](json& config) { config["annotations"]["org.flotilla.user"] = "nosuch"; });
  expectFailure("unable to find user nosuch: no matching entries in passwd file", 128,
                ErrorKind::Internal);
}

TEST_F(ShimErrorsTest, WorkingDirectoryIsAFile) {
  makeBundle({"true"}, [](json& config) { config["process"]["cwd"] = "/etc/passwd"; });
  expectFailure("Cannot mkdir: /etc/passwd is not a directory", 128, ErrorKind::Internal);
}

TEST_F(ShimErrorsTest, FileMountedOverADirectory) {
  makeBundle({"true"}, [this](json& config) {
    config["mounts"].push_back({{"destination", "/etc"},
                                {"type", "bind"},
                                {"source", base_ + "/lower/etc/passwd"},
                                {"options", {"bind"}}});
  });
  launch();
  const auto pid = client().go(std::chrono::seconds(10));
  ASSERT_FALSE(pid.has_value());
  EXPECT_NE(pid.error().message().find("error mounting \"" + base_ +
                                       "/lower/etc/passwd\" to rootfs at \"/etc\""),
            std::string::npos)
      << pid.error().message();
  EXPECT_NE(pid.error().message().find(
                "not a directory: Are you trying to mount a directory onto a file"),
            std::string::npos)
      << pid.error().message();
  waitGone();
}

TEST_F(ShimErrorsTest, NoExecutableFormat) {
  std::ofstream(base_ + "/lower/bad") << "no program\n";
  std::filesystem::permissions(base_ + "/lower/bad", std::filesystem::perms(0755));
  makeBundle({"/bad"});
  launch();
  StreamClient stream(attachBeforeStart());
  go();
  EXPECT_EQ(stream.readAll().err, "exec /bad: exec format error\n");
  EXPECT_EQ(waitFor(What::Exit).exit_code, 255);
  waitGone();
}

TEST_F(ShimErrorsTest, ExecFailuresAreTheStreamsText) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  auto [missing, missing_code] = exec({"nope"});
  EXPECT_EQ(missing.out,
            std::string(kExec) + "exec: \"nope\": executable file not found in $PATH\r\n");
  EXPECT_EQ(missing_code, 127);
  auto [directory, directory_code] = exec({"/etc"});
  EXPECT_EQ(directory.out,
            std::string(kExec) + "exec: \"/etc\": is a directory: permission denied\r\n");
  EXPECT_EQ(directory_code, 126);
}

TEST_F(ShimErrorsTest, DetachedExecAnswersWithTheError) {
  makeBundle({"sleep", "100"});
  launch();
  go();
  ExecStart start;
  start.exec_id = "d1";
  start.detach = true;
  start.process_file = writeExec({"nope"});
  const auto failed = client().execStart(start);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().message(),
            std::string(kExec) + "exec: \"nope\": executable file not found in $PATH");
  EXPECT_EQ(client().execState("d1")->exit_code, 127);
  start.exec_id = "d2";
  start.process_file =
      writeExec({"true"}, [](json& process) { process["org.flotilla.user"] = "nosuch"; });
  const auto user = client().execStart(start);
  ASSERT_FALSE(user.has_value());
  EXPECT_EQ(user.error().message(),
            "unable to find user nosuch: no matching entries in passwd file");
  start.exec_id = "d3";
  start.process_file = writeExec({"pwd"}, [](json& process) { process["cwd"] = "/nodir"; });
  const auto cwd = client().execStart(start);
  ASSERT_FALSE(cwd.has_value());
  EXPECT_EQ(cwd.error().message(),
            std::string(kExec) +
                "chdir to cwd (\"/nodir\") set in config.json failed: no such file or directory");
}

TEST_F(ShimErrorsTest, ExecNeedsARunningUnpausedContainer) {
  makeBundle({"sleep", "100"});
  launch();
  ExecStart start;
  start.exec_id = "e";
  start.process_file = writeExec({"true"});
  EXPECT_EQ(client().execStart(start).error().kind(), ErrorKind::Conflict);
  go();
  ASSERT_TRUE(client().pause().has_value());
  EXPECT_EQ(client().pause().error().kind(), ErrorKind::Conflict);
  const auto paused = client().execStart(start);
  ASSERT_FALSE(paused.has_value());
  EXPECT_EQ(paused.error().message(),
            "Container " + id_ + " is paused, unpause the container before exec");
  ASSERT_TRUE(client().resume().has_value());
  EXPECT_EQ(exec({"true"}).second, 0);
}

TEST_F(ShimErrorsTest, MalformedRequestsAreAnswered) {
  makeBundle({"true"});
  launch();
  EXPECT_EQ(client().signal(9999).error().kind(), ErrorKind::InvalidArgument);
  EXPECT_EQ(client().execState("unknown").error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(client().execResize("unknown", 1, 1).error().kind(), ErrorKind::NotFound);
  EXPECT_TRUE(client().alive());
}

}  // namespace
}  // namespace flotilla::engine
