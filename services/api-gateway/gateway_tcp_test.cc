// Listeners on loopback tcp, plain and with mutual TLS, as curl and docker reach them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "api-gateway/testing/gateway_fixture.h"
#include "common/os/process.h"
#include "common/testing/certificates.h"

namespace flotilla::gateway {
namespace {

/// A port nobody listens on now.
std::string freePort() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
    return "0";
  }
  return std::to_string(ntohs(address.sin_port));
}

class GatewayTcp : public GatewayFixture {
 protected:
  void SetUp() override {
    if (::access("/usr/bin/curl", X_OK) != 0) {
      GTEST_SKIP() << "no curl";
    }
  }

  /// What curl prints: the body, then the status code on a line of its own (000: no answer).
  static std::string curl(std::vector<std::string> arguments) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      return "no pipe";
    }
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    std::vector<std::string> argv = {"/usr/bin/curl", "-s", "--max-time", "20", "-w",
                                     "\n%{http_code}"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto process = Process::spawn({.argv = argv, .fds = {{writer.get(), 1}}});
    writer.reset();
    std::string output;
    std::array<char, 4096> piece{};
    for (ssize_t size = 0; (size = ::read(reader.get(), piece.data(), piece.size())) > 0;) {
      output.append(piece.data(), static_cast<std::size_t>(size));
    }
    EXPECT_TRUE(process.has_value() && process->wait(std::chrono::seconds(30)).has_value());
    return output;
  }

  const std::string port_ = freePort();
};

TEST_F(GatewayTcp, PlainLoopbackIsGuardedAgainstBrowsers) {
  options().hosts.push_back("tcp://127.0.0.1:" + port_);
  start();
  const std::string url = "http://127.0.0.1:" + port_ + "/_ping";
  EXPECT_EQ(curl({url}), "OK\n200");
  EXPECT_TRUE(curl({"-H", "Host: evil.example", url}).ends_with("\n403"));
  EXPECT_TRUE(curl({"-H", "Origin: http://evil.example", url}).ends_with("\n403"));
  EXPECT_EQ(call("GET", "/_ping", "", "Origin: http://evil.example\r\n").status, 200)
      << "the unix socket has no such guard";
}

TEST_F(GatewayTcp, MutualTlsLetsOnlyItsOwnClientsIn) {
  flotilla::testing::Certificates certificates;
  flotilla::testing::Certificates strangers;
  const auto server = certificates.issue("localhost");
  const auto client = certificates.issue("client");
  const auto stranger = strangers.issue("client");
  options().hosts = {"tcp://127.0.0.1:" + port_};
  options().bind.tls = true;
  options().tls = {.cert = server.cert_file, .key = server.key_file, .ca = certificates.caFile()};
  start();
  const std::string url = "https://localhost:" + port_ + "/_ping";
  const auto with = [&](const flotilla::testing::Certificates::Identity& identity) {
    return curl({"--cacert", certificates.caFile(), "--cert", identity.cert_file, "--key",
                 identity.key_file, url});
  };
  EXPECT_EQ(with(client), "OK\n200");
  EXPECT_EQ(with(stranger), "\n000");
  EXPECT_EQ(curl({"--cacert", certificates.caFile(), url}), "\n000");
  EXPECT_EQ(curl({"http://127.0.0.1:" + port_ + "/_ping"}), "\n000");
}

TEST_F(GatewayTcp, NamesABadCertificate) {
  options().bind.tls = true;
  options().tls = {.cert = "/nonexistent/cert.pem", .key = "/nonexistent/key.pem", .ca = ""};
  QueueEngine none(queue(), "none");
  const auto gateway = GatewayService::create(options(), reactor(), none, metrics());
  ASSERT_FALSE(gateway.has_value());
  EXPECT_NE(gateway.error().message().find("/nonexistent/cert.pem"), std::string::npos);
}

}  // namespace
}  // namespace flotilla::gateway
