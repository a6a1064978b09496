#include "common/net/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "common/net/acceptor.h"
#include "common/os/random.h"
#include "common/testing/loop.h"

namespace flotilla::net {
namespace {

class SocketTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_ = ::testing::TempDir() + "flotilla-socket-" + randomHex(6);
  Address unix_{.kind = Address::Kind::Unix, .path = dir_ + "/s"};
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
};

TEST_F(SocketTest, UnixListenerHasItsModeAndAcceptsConnections) {
  auto listener = listenOn(unix_, {.mode = 0660, .group = ::getegid()});
  ASSERT_TRUE(listener) << listener.error().message();
  struct stat st {};
  ASSERT_EQ(::stat(unix_.path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0660U);

  std::vector<std::string> peers;
  std::vector<UniqueFd> kept;
  Acceptor acceptor(*reactor_, std::move(*listener), {.on_connection = [&](UniqueFd fd) {
    peers.push_back(peerName(fd.get()));
    kept.push_back(std::move(fd));
  }});
  auto early = startConnect(unix_);  // waits in the queue until start()
  ASSERT_TRUE(early);
  ASSERT_TRUE(acceptor.start());
  auto late = startConnect(unix_);
  ASSERT_TRUE(late);
  ASSERT_TRUE(testing::runUntil(*reactor_, [&] { return peers.size() == 2; }));
  EXPECT_EQ(peers[0],
            "unix:pid=" + std::to_string(::getpid()) + ",uid=" + std::to_string(::getuid()));

  acceptor.pause();
  auto waiting = startConnect(unix_);
  ASSERT_TRUE(waiting);
  testing::runUntil(
      *reactor_, [] { return false; }, std::chrono::milliseconds(5));
  EXPECT_EQ(peers.size(), 2U);
  ASSERT_TRUE(acceptor.start());
  EXPECT_TRUE(testing::runUntil(*reactor_, [&] { return peers.size() == 3; }));
}

TEST_F(SocketTest, AConnectionCallbackMayDestroyTheAcceptor) {
  auto listener = listenOn(unix_);
  ASSERT_TRUE(listener);
  std::unique_ptr<Acceptor> acceptor;
  bool accepted = false;
  acceptor = std::make_unique<Acceptor>(*reactor_, std::move(*listener),
                                        Acceptor::Callbacks{.on_connection = [&](UniqueFd) {
                                          acceptor.reset();
                                          accepted = true;
                                        }});
  ASSERT_TRUE(acceptor->start());
  auto client = startConnect(unix_);
  auto second = startConnect(unix_);
  EXPECT_TRUE(testing::runUntil(*reactor_, [&] { return accepted; }));
  EXPECT_FALSE(startConnect(unix_));
}

TEST_F(SocketTest, ReplacesAStaleSocketButNotAServedOneOrAFile) {
  { ASSERT_TRUE(listenOn(unix_)); }
  auto listener = listenOn(unix_);  // the file of the first is still there
  ASSERT_TRUE(listener) << listener.error().message();
  auto second = listenOn(unix_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Conflict);

  Address file{.kind = Address::Kind::Unix, .path = dir_ + "/file"};
  ASSERT_TRUE(UniqueFd(::creat(file.path.c_str(), 0600)));
  EXPECT_EQ(listenOn(file).error().kind(), ErrorKind::Conflict);
  EXPECT_TRUE(std::filesystem::exists(file.path));
}

TEST_F(SocketTest, TcpListensOnAPortOfTheKernelsChoice) {
  auto listener = listenOn({.kind = Address::Kind::Tcp, .host = "127.0.0.1"});
  ASSERT_TRUE(listener) << listener.error().message();
  auto address = localAddress(listener->get());
  ASSERT_TRUE(address);
  EXPECT_NE(address->port, 0);
  EXPECT_EQ(listenOn(*address).error().kind(), ErrorKind::Conflict);

  auto client = connectBlocking(*address, 10'000);
  ASSERT_TRUE(client) << client.error().message();
  EXPECT_EQ(peerName(client->get()), "127.0.0.1:" + std::to_string(address->port));
}

TEST_F(SocketTest, NamesWhatCannotBeReached) {
  auto unix_error = startConnect(unix_);
  ASSERT_FALSE(unix_error);
  EXPECT_EQ(unix_error.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(unix_error.error().message().find(unix_.path), std::string::npos);

  std::uint16_t free_port = 0;
  {
    auto listener = listenOn({.kind = Address::Kind::Tcp, .host = "127.0.0.1"});
    free_port = localAddress(listener->get())->port;
  }
  Address nobody{.kind = Address::Kind::Tcp, .host = "127.0.0.1", .port = free_port};
  EXPECT_EQ(connectBlocking(nobody, 10'000).error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(
      startConnect({.kind = Address::Kind::Tcp, .host = "some.name", .port = 1}).error().kind(),
      ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace flotilla::net
