#include "common/stream/stream_exporter.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <optional>
#include <vector>

#include "common/os/random.h"
#include "common/stream/stream_client.h"
#include "common/stream/stream_server.h"
#include "common/testing/certificates.h"
#include "common/testing/loop.h"

namespace flotilla {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Check = net::TlsContext::PeerCheck;
using Role = net::TlsContext::Role;

net::TlsContextPtr context(testing::Certificates& authority, Role role) {
  const auto identity = authority.issue(role == Role::Server ? "server" : "client");
  return net::TlsContext::create({.role = role,
                                  .cert_file = identity.cert_file,
                                  .key_file = identity.key_file,
                                  .ca_file = authority.caFile(),
                                  .peer_check = Check::Required})
      .value();
}

/// One end of a stream with what it received.
struct End {
  net::StreamPtr stream;
  std::string received = {};
  std::string to_send = {};
  bool ended = false;
  bool broken = false;

  void begin(net::StreamPtr given) {
    stream = std::move(given);
    stream->start([this] { readSome(); }, [this] { writeSome(); });
    writeSome();
  }
  void readSome() {
    std::array<char, 64 << 10> buffer{};
    const auto n = stream->read(buffer.data(), buffer.size());
    if (n && *n > 0) {
      received.append(buffer.data(), *n);
    } else if (n || n.error().kind() != ErrorKind::Unavailable) {
      ended = n.has_value();
      broken = !n;
      stream->enableRead(false);
    }
  }
  void writeSome() {
    if (const auto n = stream->write(to_send)) {
      to_send.erase(0, *n);
    }
  }
};

class StreamExporterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_);
    server_ = StreamServer::listenUnix(*reactor_, dir_ + "/s").value();
    exporter_ = listen(10s);
  }
  void TearDown() override {
    exporter_.reset();
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::unique_ptr<StreamExporter> listen(std::chrono::milliseconds lifetime) {
    return StreamExporter::listen(*reactor_,
                                  {.listen = {.kind = net::Address::Kind::Tcp, .host = "127.0.0.1"},
                                   .tls = context(cluster_, Role::Server),
                                   .ticket_lifetime = lifetime})
        .value();
  }
  StreamEndpoint publish() {
    return exporter_->publish(server_->expect([this](Result<net::StreamPtr> stream) {
      if (stream) {
        worker_.begin(*std::move(stream));
      }
    }));
  }
  void dial(const StreamEndpoint& endpoint, net::TlsContextPtr tls) {
    connectStream(*reactor_, endpoint, {.timeout = 10s, .tls = std::move(tls)},
                  [this](Result<net::StreamPtr> stream) { dialled_.push_back(std::move(stream)); });
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }
  /// Whoever dialled is thrown out, at the handshake or at the ticket.
  bool isTurnedAway() {
    if (!until([this] { return !dialled_.empty(); })) {
      return false;
    }
    if (!dialled_.back()) {
      return true;
    }
    gateway_.begin(*dialled_.back());
    return until([this] { return gateway_.broken || gateway_.ended; });
  }

  std::string dir_ = ::testing::TempDir() + "flotilla-export-" + randomHex(6);
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  testing::Certificates cluster_;
  std::unique_ptr<StreamServer> server_;
  std::unique_ptr<StreamExporter> exporter_;
  std::vector<Result<net::StreamPtr>> dialled_;
  End worker_, gateway_;
};

TEST_F(StreamExporterTest, CarriesBytesBothWaysAndHalfCloses) {
  worker_.to_send = std::string(3'000'000, 'w');
  const StreamEndpoint endpoint = publish();
  EXPECT_EQ(endpoint.address, "tls:" + exporter_->address());
  dial(endpoint, context(cluster_, Role::Client));
  ASSERT_TRUE(until([&] { return !dialled_.empty(); }));
  ASSERT_TRUE(dialled_[0]) << dialled_[0].error().message();
  gateway_.to_send = "early" + std::string(2'000'000, 'g');
  gateway_.begin(*dialled_[0]);
  ASSERT_TRUE(until([&] {
    return gateway_.received.size() == 3'000'000 && worker_.received.size() == 2'000'005;
  }));
  gateway_.stream->shutdownWrite();
  ASSERT_TRUE(until([&] { return worker_.ended; }));
  worker_.to_send = "after the client's end";
  worker_.writeSome();
  ASSERT_TRUE(until([&] { return gateway_.received.ends_with("client's end"); }));
  worker_.stream->close();
  ASSERT_TRUE(until([&] { return gateway_.ended; }));
  EXPECT_FALSE(gateway_.broken);
}

TEST_F(StreamExporterTest, AStreamThatBreaksHereBreaksThere) {
  dial(publish(), context(cluster_, Role::Client));
  ASSERT_TRUE(until([&] { return !dialled_.empty() && worker_.stream; }));
  gateway_.begin(*dialled_[0]);
  gateway_.stream->abort();
  EXPECT_TRUE(until([&] { return worker_.broken || worker_.ended; }));
}

TEST_F(StreamExporterTest, StreamsEndWithThePort) {
  dial(publish(), context(cluster_, Role::Client));
  ASSERT_TRUE(until([&] { return !dialled_.empty() && worker_.stream; }));
  gateway_.begin(*dialled_[0]);
  exporter_.reset();
  EXPECT_TRUE(until([&] { return gateway_.broken && (worker_.broken || worker_.ended); }));
}

TEST_F(StreamExporterTest, ATicketAdmitsOnce) {
  const StreamEndpoint endpoint = publish();
  dial(endpoint, context(cluster_, Role::Client));
  ASSERT_TRUE(until([&] { return worker_.stream != nullptr; }));
  dialled_.clear();
  dial(endpoint, context(cluster_, Role::Client));
  EXPECT_TRUE(isTurnedAway());
}

TEST_F(StreamExporterTest, TurnsAwayAGuessedTicket) {
  StreamEndpoint endpoint = publish();
  endpoint.ticket = std::string(32, '0');
  dial(endpoint, context(cluster_, Role::Client));
  EXPECT_TRUE(isTurnedAway());
  EXPECT_EQ(worker_.stream, nullptr);
}

TEST_F(StreamExporterTest, TurnsAwayAnotherClustersCertificate) {
  testing::Certificates stranger;
  dial(publish(), context(stranger, Role::Client));
  EXPECT_TRUE(isTurnedAway());
  EXPECT_EQ(worker_.stream, nullptr);
}

TEST_F(StreamExporterTest, ATicketExpires) {
  exporter_ = listen(1ms);
  const StreamEndpoint endpoint = publish();
  testing::runUntil(
      *reactor_, [] { return false; }, 20ms);
  dial(endpoint, context(cluster_, Role::Client));
  EXPECT_TRUE(isTurnedAway());
  EXPECT_EQ(worker_.stream, nullptr);
}

TEST_F(StreamExporterTest, ADialWithoutCertificateSaysWhatIsMissing) {
  dial(publish(), nullptr);
  ASSERT_TRUE(until([&] { return !dialled_.empty(); }));
  ASSERT_FALSE(dialled_[0]);
  EXPECT_EQ(dialled_[0].error().kind(), ErrorKind::InvalidArgument);
}

TEST_F(StreamExporterTest, WillNotServeWithoutMutualTls) {
  const auto identity = cluster_.issue("server");
  const auto anyone =
      net::TlsContext::create(
          {.role = Role::Server, .cert_file = identity.cert_file, .key_file = identity.key_file})
          .value();
  const auto refused = StreamExporter::listen(
      *reactor_, {.listen = {.kind = net::Address::Kind::Tcp, .host = "127.0.0.1"}, .tls = anyone});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace flotilla
