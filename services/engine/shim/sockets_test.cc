#include "engine/shim/sockets.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <filesystem>
#include <string_view>

namespace flotilla::engine::shim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Sockets are made in the working directory.
class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/flotilla-control-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  static UniqueFd connect() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "ctl.sock"};
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  fs::path before_ = fs::current_path();
  fs::path folder_;
  EventLoop loop_;
};

TEST_F(ControlServerTest, ARequestMayEndTheServer) {
  std::unique_ptr<ControlServer> server;
  auto listening = ControlServer::listen(loop_, [&](const json&, const auto& answer) {
    answer({{"error", "cannot start"}});
    server.reset();
    loop_.quit();
  });
  ASSERT_TRUE(listening.has_value()) << listening.error().message();
  server = *std::move(listening);
  const UniqueFd client = connect();
  ASSERT_EQ(::send(client.get(), "{}", 2, 0), 2);

  loop_.run();

  std::array<char, 64> packet{};
  const ssize_t got = ::recv(client.get(), packet.data(), packet.size(), 0);
  EXPECT_EQ(std::string_view(packet.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))),
            R"({"error":"cannot start"})");
  EXPECT_FALSE(fs::exists("ctl.sock"));
}

}  // namespace
}  // namespace flotilla::engine::shim
