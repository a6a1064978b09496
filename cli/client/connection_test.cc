#include "cli/client/connection.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <future>
#include <thread>

#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "common/net/tls_stream.h"
#include "common/testing/certificates.h"

namespace flotilla::cli {
namespace {

/// A TLS server that reads when it is told to, and tells how much came before the end.
class SlowReader {
 public:
  explicit SlowReader(const std::string& path) {
    const auto identity = certificates_.issue("server");
    tls_ = net::TlsContext::create({.role = net::TlsContext::Role::Server,
                                    .cert_file = identity.cert_file,
                                    .key_file = identity.key_file})
               .value();
    acceptor_ = std::make_unique<net::Acceptor>(
        *reactor_,
        net::listenOn({.kind = net::Address::Kind::Unix, .path = path}, {.mode = 0600}).value(),
        net::Acceptor::Callbacks{.on_connection = [this](UniqueFd socket) {
          stream_ = net::makeTlsStream(*reactor_, std::move(socket), {.context = tls_});
        }});
    EXPECT_TRUE(acceptor_->start());
    loop_ = std::thread([this] { reactor_->run(); });
  }
  ~SlowReader() {
    reactor_->stop();
    loop_.join();
  }
  SlowReader(const SlowReader&) = delete;
  SlowReader& operator=(const SlowReader&) = delete;

  [[nodiscard]] std::string caFile() const { return certificates_.caFile(); }

  std::future<std::size_t> readToTheEnd() {
    auto whole = ended_.get_future();
    reactor_->post([this] { stream_->start([this] { readSome(); }, [] {}); });
    return whole;
  }

 private:
  void readSome() {
    std::array<char, 65536> buffer{};
    const auto got = stream_->read(buffer.data(), buffer.size());
    if (got && *got > 0) {
      received_ += *got;
    } else if (got) {
      stream_->enableRead(false);
      ended_.set_value(received_);
    }
  }

  testing::Certificates certificates_;
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  net::TlsContextPtr tls_;
  std::unique_ptr<net::Acceptor> acceptor_;
  net::StreamPtr stream_;
  std::size_t received_ = 0;
  std::promise<std::size_t> ended_;
  std::thread loop_;
};

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() : folder_(::testing::TempDir() + "flotilla-connection-XXXXXX") {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
  }
  ~ConnectionTest() override { std::filesystem::remove_all(folder_); }
  ConnectionTest(const ConnectionTest&) = delete;
  ConnectionTest& operator=(const ConnectionTest&) = delete;

  [[nodiscard]] Endpoint endpoint() const {
    return {.kind = Endpoint::Kind::Unix, .path = folder_ + "/s", .host = "localhost"};
  }
  Connection connectNarrow(const SlowReader& server) {
    Endpoint to = endpoint();
    to.tls = {.enabled = true, .verify = true, .ca_cert = server.caFile()};
    auto connection = Connection::connect(to, 5000).value();
    // The server's tickets come when it has read all that was sent so far.
    pollfd answered{connection.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&answered, 1, 5000), 1);
    std::array<char, 10> buffer{};
    EXPECT_FALSE(connection.tryRead(buffer).value());
    const int little = 8192;
    EXPECT_EQ(::setsockopt(connection.fd(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    return connection;
  }

  std::string folder_;
};

const std::string kPiece(100, 'p');

bool put(Connection& connection) { return connection.tryWrite(kPiece).value() == kPiece.size(); }

TEST_F(ConnectionTest, AnEndThatFindsTheSocketFullIsSaidWhenThereIsRoom) {
  std::size_t room = 0;
  {
    const SlowReader server(endpoint().path);
    auto connection = connectNarrow(server);
    while (put(connection)) {
      ++room;
    }
  }
  std::filesystem::remove(endpoint().path);
  SlowReader server(endpoint().path);
  auto connection = connectNarrow(server);
  for (std::size_t i = 0; i < room; ++i) {
    ASSERT_TRUE(put(connection));
  }
  ASSERT_FALSE(connection.tryShutdownWrite());
  auto whole = server.readToTheEnd();
  EXPECT_TRUE(connection.shutdownWrite());
  ASSERT_EQ(whole.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(whole.get(), room * kPiece.size());
}

TEST_F(ConnectionTest, ASilentDaemonIsNamedInTime) {
  const auto listener =
      net::listenOn({.kind = net::Address::Kind::Unix, .path = endpoint().path}, {.mode = 0600})
          .value();
  auto connection = Connection::connect(endpoint(), 20).value();
  std::array<char, 10> buffer{};
  EXPECT_EQ(connection.read(buffer).error().kind(), ErrorKind::DeadlineExceeded);
  EXPECT_FALSE(connection.tryRead(buffer).value());
}

}  // namespace
}  // namespace flotilla::cli
