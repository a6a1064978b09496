#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"
#include "common/http/exchange.h"
#include "registry-proxy/cache/blob.h"

namespace flotilla::registry {

/// What of a blob goes to a client, and under which head.
struct BlobPart {
  std::shared_ptr<Blob> blob;
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // beyond the last
};

/// Answers with `head` (its Content-Length set) and the part's bytes, following the blob while it
/// grows; a blob that fails cuts the connection. Never blocks the loop: what the page cache has not
/// is read by a thread of `readers`. Any thread. `sent` runs with each count of bytes, on the loop.
void replyWithBlob(Reactor& reactor, ThreadPool& readers, const http::ExchangePtr& exchange,
                   http::Response head, BlobPart part, std::function<void(std::uint64_t)> sent);

}  // namespace flotilla::registry
