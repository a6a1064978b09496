#include "registry-proxy/http/blob_reply.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <future>

#include "common/http/server_fixture.h"

namespace flotilla::registry {
namespace {

class BlobReplyTest : public http::ServerFixture {
 protected:
  /// A blob that cannot be read without waiting, as if it were not in the page cache: procfs has no
  /// RWF_NOWAIT.
  static std::shared_ptr<Blob> coldBlob() {
    return std::make_shared<Blob>(UniqueFd(::open("/proc/version", O_RDONLY | O_CLOEXEC)), 5);
  }

  void serveBlob(ThreadPool& readers, const std::shared_ptr<Blob>& blob) {
    serve([this, &readers, blob](const http::ExchangePtr& exchange) {
      http::Response head;
      head.headers.add("Content-Length", "5");
      replyWithBlob(*reactor_, readers, exchange, std::move(head),
                    {.blob = blob, .first = 0, .end = 5}, [this](std::uint64_t n) { sent_ += n; });
    });
  }

  std::uint64_t sent_ = 0;
};

TEST_F(BlobReplyTest, ReadsElsewhereWhatIsNotAtHand) {
  ThreadPool readers({.name = "read", .max_threads = 1});
  serveBlob(readers, coldBlob());
  const UniqueFd client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(until([this] { return sent_ == 5; }));
}

TEST_F(BlobReplyTest, AClientMayLeaveDuringARead) {
  std::promise<void> go;
  ThreadPool readers({.name = "read", .max_threads = 1});
  ASSERT_TRUE(readers.post([held = go.get_future().share()] { held.wait(); }));
  serveBlob(readers, coldBlob());
  UniqueFd client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(until([&] { return readers.queued() > 0; }));
  client.reset();
  EXPECT_TRUE(until([this] { return server_->connections() == 0; }));
  std::promise<void> read;
  ASSERT_TRUE(readers.post([&read] { read.set_value(); }));
  go.set_value();
  read.get_future().wait();
  turn();
  EXPECT_EQ(sent_, 0U);
}

}  // namespace
}  // namespace flotilla::registry
