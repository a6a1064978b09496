#include "registry-proxy/http/blob_reply.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::registry {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr int kPiecesAtOnce = 4;  // then other connections get their turn

/// Kept alive by the callbacks it waits for. On the reactor's thread.
class BlobReply : public std::enable_shared_from_this<BlobReply> {
 public:
  BlobReply(Reactor& reactor, ThreadPool& readers, net::StreamPtr stream, BlobPart part,
            std::function<void(std::uint64_t)> sent)
      : reactor_(reactor),
        readers_(readers),
        stream_(std::move(stream)),
        part_(std::move(part)),
        offset_(part_.first),
        sent_(std::move(sent)) {}

  void start() {
    stream_->start([self = shared_from_this()] { self->clientSpoke(); },
                   [self = shared_from_this()] { self->pump(); });
    pump();
  }

 private:
  /// Nothing is expected: an error here means that the client is gone.
  void clientSpoke() {
    char byte = 0;
    const auto got = stream_->read(&byte, 1);
    if (!got && got.error().sysErrno() == EAGAIN) {
      return;
    }
    if (got) {
      stream_->enableRead(false);
      return;
    }
    end(false);
  }

  void pump() {
    for (int piece = 0; piece < kPiecesAtOnce; ++piece) {
      if (!stream_ || waiting_) {
        return;
      }
      if (at_ < piece_.size() && !writeSome()) {
        return;
      }
      if (offset_ == part_.end && at_ == piece_.size()) {
        end(true);
        return;
      }
      if (!readSome()) {
        return;
      }
    }
    reactor_.post([self = shared_from_this()] { self->pump(); });
  }

  /// False when the client takes no more for now, or is gone.
  bool writeSome() {
    while (at_ < piece_.size()) {
      const auto taken = stream_->write(std::string_view(piece_.data() + at_, piece_.size() - at_));
      if (!taken) {
        end(false);
        return false;
      }
      at_ += *taken;
      sent_(*taken);
      if (*taken == 0) {
        return false;
      }
    }
    return true;
  }

  /// False when there is nothing to read for now.
  bool readSome() {
    const Blob::Progress progress = part_.blob->progress();
    const std::uint64_t available = std::min(progress.available, part_.end);
    if (available <= offset_) {
      if (progress.complete || progress.failure) {
        end(false);
        return false;
      }
      waiting_ = true;
      part_.blob->whenBeyond(offset_, [self = shared_from_this()] {
        self->reactor_.post([self] { self->resume(); });
      });
      return false;
    }
    piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(available - offset_, kPiece)));
    at_ = 0;
    iovec into{piece_.data(), piece_.size()};
    const ssize_t got =
        ::preadv2(part_.blob->fd(), &into, 1, static_cast<off_t>(offset_), RWF_NOWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) {
      return readElsewhere();
    }
    return took(got);
  }

  bool took(ssize_t got) {
    if (got <= 0) {
      end(false);
      return false;
    }
    piece_.resize(static_cast<std::size_t>(got));
    offset_ += static_cast<std::uint64_t>(got);
    return true;
  }

  bool readElsewhere() {
    waiting_ = true;
    // The blob is held here: the reply lets go of it when the client leaves in the meantime.
    const bool posted = readers_.post([self = shared_from_this(), blob = part_.blob] {
      const ssize_t got = ::pread(blob->fd(), self->piece_.data(), self->piece_.size(),
                                  static_cast<off_t>(self->offset_));
      self->reactor_.post([self, got] {
        if (self->stream_ && self->took(got)) {
          self->resume();
        }
      });
    });
    if (!posted) {
      end(false);
    }
    return false;
  }

  void resume() {
    waiting_ = false;
    pump();
  }

  void end(bool whole) {
    if (const net::StreamPtr stream = std::exchange(stream_, nullptr)) {
      whole ? stream->close() : stream->abort();
    }
    part_.blob.reset();
  }

  Reactor& reactor_;
  ThreadPool& readers_;
  net::StreamPtr stream_;  // shared with the connection; null when ended
  BlobPart part_;
  std::uint64_t offset_;
  const std::function<void(std::uint64_t)> sent_;
  std::vector<char> piece_;
  std::size_t at_ = 0;
  bool waiting_ = false;
};

}  // namespace

void replyWithBlob(Reactor& reactor, ThreadPool& readers, const http::ExchangePtr& exchange,
                   http::Response head, BlobPart part, std::function<void(std::uint64_t)> sent) {
  reactor.post([&reactor, &readers, exchange, head = std::move(head), part = std::move(part),
                sent = std::move(sent)]() mutable {
    std::make_shared<BlobReply>(reactor, readers, exchange->open(std::move(head)), std::move(part),
                                std::move(sent))
        ->start();
  });
}

}  // namespace flotilla::registry
