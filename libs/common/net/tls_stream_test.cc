#include "common/net/tls_stream.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "common/net/socket_stream.h"
#include "common/testing/certificates.h"
#include "common/testing/loop.h"

namespace flotilla::net {
namespace {

/// One end of a session with all that happened to it.
struct End {
  StreamPtr stream;
  std::string received = {};
  std::string to_send = {};
  bool ended = false;
  std::optional<Error> error = {};

  void begin() {
    stream->start([this] { readSome(); }, [this] { writeSome(); });
    writeSome();
  }
  void readSome() {
    std::array<char, 5000> buffer{};  // smaller than a record: the rest waits inside the session
    auto n = stream->read(buffer.data(), buffer.size());
    if (n && *n > 0) {
      received.append(buffer.data(), *n);
    } else if (n || n.error().kind() != ErrorKind::Unavailable) {
      ended = n.has_value();
      if (!n) {
        error = n.error();
      }
      stream->enableRead(false);
    }
  }
  void writeSome() {
    auto n = stream->write(to_send);
    if (!n) {
      error = n.error();
      return;
    }
    to_send.erase(0, *n);
  }
};

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsContext::Options serverOptions(TlsContext::PeerCheck check = TlsContext::PeerCheck::None) {
    auto identity = certs_.issue("server");
    return {.role = TlsContext::Role::Server,
            .cert_file = identity.cert_file,
            .key_file = identity.key_file,
            .ca_file = certs_.caFile(),
            .peer_check = check};
  }
  TlsContext::Options clientOptions() {
    return {.role = TlsContext::Role::Client,
            .ca_file = certs_.caFile(),
            .peer_check = TlsContext::PeerCheck::Required};
  }
  TlsContext::Options clientWithCertificate() {
    auto identity = certs_.issue("client");
    auto options = clientOptions();
    options.cert_file = identity.cert_file;
    options.key_file = identity.key_file;
    return options;
  }
  void connect(const TlsContext::Options& server, const TlsContext::Options& client,
               const std::string& name = "localhost") {
    std::array<int, 2> fds{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    server_.stream =
        makeTlsStream(*reactor_, UniqueFd(fds[0]), {.context = TlsContext::create(server).value()});
    client_socket_ = fds[1];
    client_.stream =
        makeTlsStream(*reactor_, UniqueFd(fds[1]),
                      {.context = TlsContext::create(client).value(), .server_name = name});
  }
  /// A session whose server does not read on, and whose client's socket takes little.
  void connectNarrow() {
    server_ = {};
    client_ = {};
    connect(serverOptions(), clientOptions());
    const int little = 8192;
    ASSERT_EQ(::setsockopt(client_socket_, SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    client_.to_send = "x";
    server_.begin();
    client_.begin();
    ASSERT_TRUE(until([&] { return server_.received == "x"; }));
    server_.stream->enableRead(false);
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  testing::Certificates certs_;
  End server_, client_;
  int client_socket_ = -1;  // the stream's
};

TEST_F(TlsStreamTest, CarriesBytesBothWaysAndHalfCloses) {
  connect(serverOptions(), clientOptions());
  client_.to_send.resize(3'000'000);
  std::iota(client_.to_send.begin(), client_.to_send.end(), '\0');
  server_.to_send = std::string(1'000'000, 's');
  const std::string sent = client_.to_send;
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] {
    return server_.received.size() == sent.size() && client_.received.size() == 1'000'000;
  }));
  EXPECT_TRUE(server_.received == sent);

  client_.stream->shutdownWrite();
  ASSERT_TRUE(until([&] { return server_.ended; }));
  server_.to_send = "after the client's end";
  server_.writeSome();
  ASSERT_TRUE(until([&] { return client_.received.size() > 1'000'000; }));
  server_.stream->close();
  ASSERT_TRUE(until([&] { return client_.ended; }));
  EXPECT_FALSE(client_.error);
  EXPECT_EQ(client_.stream->plainFd(), -1);
}

TEST_F(TlsStreamTest, MutualAuthenticationAcceptsAKnownClient) {
  connect(serverOptions(TlsContext::PeerCheck::Required), clientWithCertificate());
  client_.to_send = "hello";
  server_.begin();
  client_.begin();
  EXPECT_TRUE(until([&] { return server_.received == "hello"; }));
}

TEST_F(TlsStreamTest, MutualAuthenticationRefusesAClientWithoutCertificate) {
  connect(serverOptions(TlsContext::PeerCheck::Required), clientOptions());
  client_.to_send = "hello";
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] { return server_.error && client_.error; }));
  EXPECT_EQ(server_.received, "");
}

TEST_F(TlsStreamTest, MutualAuthenticationRefusesAStrangersCertificate) {
  testing::Certificates strangers;
  auto identity = strangers.issue("client");
  auto client = clientOptions();
  client.cert_file = identity.cert_file;
  client.key_file = identity.key_file;
  connect(serverOptions(TlsContext::PeerCheck::Required), client);
  client_.to_send = "hello";
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] { return server_.error.has_value(); }));
  EXPECT_EQ(server_.received, "");
}

TEST_F(TlsStreamTest, AClientRefusesAWrongNameAndAStrangeAuthority) {
  connect(serverOptions(), clientOptions(), "elsewhere.example");
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] { return client_.error.has_value(); }));
  EXPECT_NE(client_.error->message().find("hostname mismatch"), std::string::npos)
      << client_.error->message();
}

TEST_F(TlsStreamTest, AddressesCountAsNames) {
  connect(serverOptions(), clientOptions(), "127.0.0.1");
  client_.to_send = "x";
  server_.begin();
  client_.begin();
  EXPECT_TRUE(until([&] { return server_.received == "x"; }));
}

TEST_F(TlsStreamTest, AnEndWithoutCloseNotifyIsAnError) {
  connect(serverOptions(), clientOptions());
  client_.to_send = "x";
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] { return server_.received == "x"; }));
  client_.stream->abort();
  ASSERT_TRUE(until([&] { return server_.error.has_value(); }));
  EXPECT_FALSE(server_.ended);
}

TEST_F(TlsStreamTest, AnEndThatFindsTheSocketFullFollowsWhenThereIsRoom) {
  const std::string piece(100, 'p');
  const auto write = [&] { return client_.stream->write(piece).value() == piece.size(); };
  const auto unread = [&] {
    int bytes = 0;
    EXPECT_EQ(::ioctl(client_socket_, SIOCOUTQ, &bytes), 0);
    return bytes;
  };
  connectNarrow();
  std::size_t room = 0;
  while (write()) {
    ++room;
  }
  const int full = unread();
  const std::vector<std::function<void()>> ends{[&] { client_.stream->shutdownWrite(); },
                                                [&] { client_.stream->close(); },
                                                [&] {
                                                  client_.stream->shutdownWrite();
                                                  client_.stream->close();
                                                }};
  for (std::size_t i = 0; i < ends.size(); ++i) {
    SCOPED_TRACE(i);
    connectNarrow();
    for (std::size_t written = 0; written < room; ++written) {
      ASSERT_TRUE(write());
    }
    ASSERT_EQ(unread(), full);
    ends[i]();
    server_.stream->enableRead(true);
    EXPECT_TRUE(until([&] { return server_.ended || server_.error; }));
    EXPECT_FALSE(server_.error) << server_.error->message();
    EXPECT_EQ(server_.received.size(), 1 + room * piece.size());
  }
}

TEST_F(TlsStreamTest, APeerThatClosedAltogetherIsGoneForWhoReadsNoMore) {
  connect(serverOptions(), clientOptions());
  client_.to_send = "x";
  server_.begin();
  client_.begin();
  ASSERT_TRUE(until([&] { return server_.received == "x"; }));
  bool gone = false;
  client_.stream->shutdownWrite();
  ASSERT_TRUE(until([&] { return server_.ended; }));
  server_.stream->onGone([&gone] { gone = true; });
  EXPECT_FALSE(testing::runUntil(
      *reactor_, [&] { return gone; }, std::chrono::milliseconds(20)));  // it may still listen
  client_.stream->close();
  EXPECT_TRUE(until([&] { return gone; }));
}

TEST_F(TlsStreamTest, GarbageEndsTheHandshake) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  UniqueFd peer(fds[1]);
  server_.stream = makeTlsStream(*reactor_, UniqueFd(fds[0]),
                                 {.context = TlsContext::create(serverOptions()).value()});
  server_.begin();
  ASSERT_EQ(::write(peer.get(), "GET / HTTP/1.1\r\n\r\n", 18), 18);
  ASSERT_TRUE(until([&] { return server_.error.has_value(); }));
  EXPECT_NE(server_.error->message().find("handshake"), std::string::npos);
}

TEST_F(TlsStreamTest, ASilentPeerTimesOut) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  UniqueFd peer(fds[1]);
  server_.stream = makeTlsStream(*reactor_, UniqueFd(fds[0]),
                                 {.context = TlsContext::create(serverOptions()).value(),
                                  .handshake_timeout = std::chrono::milliseconds(5)});
  server_.begin();
  ASSERT_TRUE(until([&] { return server_.error.has_value(); }));
  EXPECT_EQ(server_.error->sysErrno(), ETIMEDOUT);
}

TEST_F(TlsStreamTest, ContextNamesTheBadFile) {
  auto options = serverOptions();
  options.key_file = certs_.issue("other").key_file;
  auto mismatch = TlsContext::create(options);
  ASSERT_FALSE(mismatch);
  EXPECT_EQ(mismatch.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_NE(mismatch.error().message().find(options.key_file), std::string::npos);
  options.cert_file = "/no/such/file";
  EXPECT_NE(TlsContext::create(options).error().message().find("/no/such/file"), std::string::npos);
  EXPECT_FALSE(TlsContext::create({.role = TlsContext::Role::Server}));
}

}  // namespace
}  // namespace flotilla::net
