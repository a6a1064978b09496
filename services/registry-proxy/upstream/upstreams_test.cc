#include "registry-proxy/upstream/upstreams.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace flotilla::registry {
namespace {

using std::chrono::milliseconds;

/// A registry on this host's loopback, where plain HTTP is allowed.
class UpstreamsTest : public ::testing::Test {
 protected:
  void serve() {
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  void TearDown() override {
    ended_ = true;
    server_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  [[nodiscard]] std::string name() const { return "127.0.0.1:" + std::to_string(port_); }
  Served<UpstreamDocument> manifest(Upstreams::Options options) {
    options.first_pause = milliseconds(1);
    Upstreams upstreams(std::move(options), metrics_);
    return upstreams.document(
        {.registry = name(), .repository = "a/b", .resource = "manifests/latest"});
  }
  /// A byte every few milliseconds, without end.
  void drip(httplib::Response& response, int status) {
    response.status = status;
    response.set_chunked_content_provider("application/json",
                                          [this](std::size_t, httplib::DataSink& sink) {
                                            std::this_thread::sleep_for(milliseconds(5));
                                            return sink.write(" ", 1) && !ended_;
                                          });
  }

  Metrics metrics_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
};

TEST_F(UpstreamsTest, ADocumentThatDripsEndsInTime) {
  std::atomic<int> status = 200;
  server_.Get("/v2/a/b/manifests/latest",
              [&](const auto&, auto& response) { drip(response, status); });
  serve();
  for (const int sent : {200, 403}) {
    status = sent;
    const auto begun = std::chrono::steady_clock::now();
    const auto document = manifest({.document_time = milliseconds(200)});
    ASSERT_FALSE(document);
    EXPECT_EQ(document.error().status, 504) << document.error().message;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  }
}

TEST_F(UpstreamsTest, ARedirectIsFollowedWithoutAllOfItsBody) {
  server_.Get("/v2/a/b/manifests/latest", [this](const auto&, auto& response) {
    response.set_header("Location", "/elsewhere");
    drip(response, 307);
  });
  server_.Get("/elsewhere", [](const auto&, auto& response) { response.body = "{}"; });
  serve();
  const auto document = manifest({});
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->body, "{}");
}

TEST_F(UpstreamsTest, ATokenThatDripsEndsInTime) {
  server_.Get("/v2/a/b/manifests/latest", [this](const auto&, auto& response) {
    response.status = 401;
    response.set_header("WWW-Authenticate",
                        "Bearer realm=\"http://" + name() + "/token\",service=\"s\"");
  });
  server_.Get("/token", [this](const auto&, auto& response) { drip(response, 200); });
  serve();
  const auto document = manifest({.document_time = milliseconds(200)});
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 504) << document.error().message;
}

TEST_F(UpstreamsTest, ATokenServerThatIsBusyRefusesNobody) {
  server_.Get("/v2/a/b/manifests/latest", [this](const auto&, auto& response) {
    response.status = 401;
    response.set_header("WWW-Authenticate",
                        "Bearer realm=\"http://" + name() + "/token\",service=\"s\"");
  });
  std::atomic<int> status = 503;
  server_.Get("/token", [&status](const auto&, auto& response) { response.status = status; });
  serve();
  const auto busy = manifest({});
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().status, 502) << busy.error().message;
  EXPECT_TRUE(busy.error().cause.ends_with("503 Service Unavailable")) << busy.error().cause;
  status = 401;
  const auto refused = manifest({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 401) << refused.error().message;
}

}  // namespace
}  // namespace flotilla::registry
