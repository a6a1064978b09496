// A real gateway, its jobs done by the test, driven by the programs users have.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "api-gateway/testing/gateway_fixture.h"
#include "common/os/process.h"

namespace flotilla::gateway {
namespace {

constexpr const char* kVersion =
    R"({"Platform":{"Name":"flotilla"},"Components":[],"Version":"9.8.7","ApiVersion":"1.51",)"
    R"("MinAPIVersion":"1.24","GitCommit":"abc","GoVersion":"","Os":"linux","Arch":"amd64",)"
    R"("KernelVersion":"6","BuildTime":""})";
constexpr const char* kInfo =
    R"({"ID":"engine-1","Containers":7,"Images":3,"Driver":"overlay2","Name":"host-7",)"
    R"("OSType":"linux","ServerVersion":"9.8.7","Labels":["a=b"]})";

class GatewayCli : public GatewayFixture {
 protected:
  struct Output {
    int code = -1;
    std::string text;
  };

  static bool has(const std::string& program) { return ::access(program.c_str(), X_OK) == 0; }

  /// Every docker CLI of the PATH.
  static std::vector<std::string> dockers() {
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing sets it
    std::istringstream folders(path != nullptr ? path : "");
    std::vector<std::string> found;
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (has(folder + "/docker")) {
        found.push_back(folder + "/docker");
      }
    }
    return found;
  }

  /// Runs a program with its standard output and error in `text`.
  static Output run(const std::vector<std::string>& argv) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      return {};
    }
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    auto process = Process::spawn({.argv = argv, .fds = {{writer.get(), 1}, {writer.get(), 2}}});
    writer.reset();
    if (!process) {
      return {.text = process.error().message()};
    }
    Output output;
    std::array<char, 4096> piece{};
    for (ssize_t size = 0; (size = ::read(reader.get(), piece.data(), piece.size())) > 0;) {
      output.text.append(piece.data(), static_cast<std::size_t>(size));
    }
    const auto ended = process->wait(std::chrono::seconds(30));
    output.code = ended ? ended->code : -1;
    return output;
  }

  [[nodiscard]] Output curl(std::vector<std::string> arguments) const {
    std::vector<std::string> argv = {"/usr/bin/curl", "-s",        "--max-time", "20",
                                     "--unix-socket", socketPath()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
  }
};

TEST_F(GatewayCli, CurlPingsAndReadsDocuments) {
  if (!has("/usr/bin/curl")) {
    GTEST_SKIP() << "no curl";
  }
  answer("version", kVersion);
  start();
  EXPECT_EQ(curl({"http://d/_ping"}).text, "OK");
  EXPECT_EQ(curl({"http://d/v1.41/version"}).text, std::string(kVersion) + "\n");
  const auto head = curl({"-I", "http://d/_ping"});
  EXPECT_EQ(head.code, 0);
  EXPECT_EQ(head.text.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(
      curl({"-X", "POST", "http://d/containers/x/start", "-o", "/dev/null", "-w", "%{http_code}"})
          .text,
      "204");
}

TEST_F(GatewayCli, DockerReadsVersionAndInfo) {
  answer("version", kVersion);
  answer("info", kInfo);
  start();
  const auto clients = dockers();
  if (clients.empty()) {
    GTEST_SKIP() << "no docker CLI";
  }
  for (const std::string& docker : clients) {
    const std::string host = "unix://" + socketPath();
    const auto version = run({docker, "-H", host, "version", "--format", "{{.Server.Version}}"});
    EXPECT_EQ(version.text, "9.8.7\n") << docker;
    EXPECT_EQ(version.code, 0);
    const auto info =
        run({docker, "-H", host, "info", "--format", "{{.Name}} {{.Containers}} {{.Labels}}"});
    EXPECT_EQ(info.text, "host-7 7 [a=b]\n") << docker;
  }
}

TEST_F(GatewayCli, DockerShowsOurErrors) {
  fail("container_start", {ErrorKind::NotFound, "No such container: nope"});
  start();
  const auto clients = dockers();
  if (clients.empty()) {
    GTEST_SKIP() << "no docker CLI";
  }
  const auto output = run({clients.front(), "-H", "unix://" + socketPath(), "start", "nope"});
  EXPECT_NE(output.code, 0);
  EXPECT_NE(output.text.find("Error response from daemon: No such container: nope"),
            std::string::npos)
      << output.text;
}

}  // namespace
}  // namespace flotilla::gateway
