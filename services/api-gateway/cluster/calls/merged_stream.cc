#include "api-gateway/cluster/calls/merged_stream.h"

#include <utility>

namespace flotilla::gateway {
namespace {

constexpr std::size_t kFull = 256U << 10U;
constexpr std::size_t kRoomAgain = 64U << 10U;

}  // namespace

std::shared_ptr<MergedStream> MergedStream::create(Callbacks callbacks) {
  return std::make_shared<MergedStream>(std::move(callbacks));
}

StreamEndpoint MergedStream::offer(StreamServer& streams) {
  return streams.expect([self = shared_from_this()](Result<net::StreamPtr> stream) {
    self->connected(std::move(stream));
  });
}

void MergedStream::connected(Result<net::StreamPtr> stream) {
  if (ended_) {
    if (stream) {
      (*stream)->close();
    }
    return;
  }
  if (!stream) {
    gone();
    return;
  }
  stream_ = *std::move(stream);
  // Kept by the stream's callbacks until it is closed: what is left is written when the call is
  // over.
  stream_->start([] {}, [self = shared_from_this()] { self->pump(); });
  stream_->enableRead(false);
  if (const auto told = std::exchange(callbacks_.on_client, nullptr)) {
    told(stream_);
  }
  pump();
}

void MergedStream::write(std::string_view text) {
  if (ended_ || text.empty()) {
    return;
  }
  spoken_ = true;
  waiting_.append(text);
  pump();
}

void MergedStream::pump() {
  const auto keep = shared_from_this();
  while (stream_ && !ended_ && !waiting_.empty()) {
    const auto taken = stream_->write(waiting_);
    if (!taken) {
      gone();
      return;
    }
    if (*taken == 0) {
      break;
    }
    waiting_.erase(0, *taken);
  }
  if (stream_ && finishing_ && waiting_.empty() && !ended_) {
    ended_ = true;
    std::exchange(stream_, nullptr)->close();
    return;
  }
  if (!ended_) {
    setFull(full_ ? waiting_.size() > kRoomAgain : waiting_.size() > kFull);
  }
}

void MergedStream::setFull(bool full) {
  if (std::exchange(full_, full) != full && callbacks_.on_full) {
    callbacks_.on_full(full);
  }
}

void MergedStream::finish() {
  finishing_ = true;
  pump();
}

void MergedStream::abort() {
  ended_ = true;
  if (const auto stream = std::exchange(stream_, nullptr)) {
    stream->abort();
  }
}

void MergedStream::gone() {
  const auto keep = shared_from_this();
  abort();
  if (const auto told = std::exchange(callbacks_.on_gone, nullptr)) {
    told();
  }
}

}  // namespace flotilla::gateway
