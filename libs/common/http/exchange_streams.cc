#include "common/http/exchange_streams.h"

#include <cerrno>
#include <utility>

namespace flotilla::http {
namespace {

Error broken() { return {ErrorKind::Internal, "the client left", EPIPE}; }
Error nothingYet() { return {ErrorKind::Unavailable, "nothing to read", EAGAIN}; }

/// The request's body. Writing is no part of it.
class BodyStream final : public net::Stream {
 public:
  BodyStream(std::shared_ptr<Connection> connection, std::uint64_t turn)
      : connection_(std::move(connection)), turn_(turn) {}

  void start(std::function<void()> on_readable, std::function<void()> /*on_writable*/) override {
    connection_->setBodyReader(turn_, std::move(on_readable));
  }
  void enableRead(bool enabled) override {
    if (!closed_) {
      connection_->enableBodyReader(turn_, enabled);
    }
  }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return closed_ ? Result<std::size_t>(broken()) : connection_->readBody(turn_, buffer, size);
  }
  Result<std::size_t> write(std::string_view /*bytes*/) override { return broken(); }
  void shutdownWrite() override {}
  void close() override {
    if (!std::exchange(closed_, true)) {
      connection_->setBodyReader(turn_, nullptr);
    }
  }
  void abort() override { close(); }

 private:
  std::shared_ptr<Connection> connection_;
  const std::uint64_t turn_;
  bool closed_ = false;
};

class ResponseStreamImpl final : public ResponseStream {
 public:
  ResponseStreamImpl(std::shared_ptr<Connection> connection, std::uint64_t turn, bool live)
      : connection_(std::move(connection)), turn_(turn), ended_(!live) {}

  ~ResponseStreamImpl() override {
    if (ended_) {
      return;
    }
    // Dropped without an end: whoever wrote here failed, and the client must see that.
    auto cut = [connection = connection_, turn = turn_, has_body = has_body_] {
      silence(*connection, turn, has_body);
      connection->abortResponse(turn);
    };
    connection_->reactor().inLoop() ? cut() : connection_->reactor().post(std::move(cut));
  }
  ResponseStreamImpl(const ResponseStreamImpl&) = delete;
  ResponseStreamImpl& operator=(const ResponseStreamImpl&) = delete;

  void takeBody() override { has_body_ = connection_->takeBody(turn_); }

  void start(std::function<void()> on_readable, std::function<void()> on_writable) override {
    if (ended_) {
      return;
    }
    if (has_body_) {
      connection_->setBodyReader(turn_, on_readable);
    }
    connection_->setResponseCallbacks(turn_, std::move(on_readable), std::move(on_writable));
  }
  void enableRead(bool enabled) override {
    if (has_body_ && !ended_) {
      connection_->enableBodyReader(turn_, enabled);
    }
  }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (ended_ || connection_->clientGone(turn_)) {
      return broken();
    }
    return has_body_ ? connection_->readBody(turn_, buffer, size) : nothingYet();
  }
  Result<std::size_t> write(std::string_view bytes) override {
    return ended_ ? Result<std::size_t>(broken()) : connection_->writeResponse(turn_, bytes);
  }
  void shutdownWrite() override { close(); }
  void close() override {
    if (!std::exchange(ended_, true)) {
      auto connection = connection_;  // the callbacks that go now may hold the last reference to us
      const std::uint64_t turn = turn_;
      silence(*connection, turn, has_body_);
      connection->endResponse(turn);
    }
  }
  void abort() override {
    if (!std::exchange(ended_, true)) {
      auto connection = connection_;
      const std::uint64_t turn = turn_;
      silence(*connection, turn, has_body_);
      connection->abortResponse(turn);
    }
  }

 private:
  /// No callback follows an end.
  static void silence(Connection& connection, std::uint64_t turn, bool has_body) {
    if (has_body) {
      connection.setBodyReader(turn, nullptr);
    }
    connection.setResponseCallbacks(turn, nullptr, nullptr);
  }

  std::shared_ptr<Connection> connection_;
  const std::uint64_t turn_;
  bool ended_;
  bool has_body_ = false;
};

/// The connection's own stream behind what was read from it, and unsent, before it changed hands.
class HijackedStreamImpl final : public HijackedStream,
                                 public std::enable_shared_from_this<HijackedStreamImpl> {
 public:
  explicit HijackedStreamImpl(Reactor& reactor) : reactor_(reactor) {}

  ~HijackedStreamImpl() override {
    if (inner_ && !reactor_.inLoop()) {
      reactor_.post([inner = std::move(inner_)] { inner->close(); });
    }
  }
  HijackedStreamImpl(const HijackedStreamImpl&) = delete;
  HijackedStreamImpl& operator=(const HijackedStreamImpl&) = delete;

  void attach(Connection::Spoils spoils) override {
    inner_ = std::move(spoils.stream);
    early_ = std::move(spoils.early);
    unsent_ = std::move(spoils.unsent);
    inner_->start([] {},
                  [weak = weak_from_this()] {
                    if (auto self = weak.lock()) {
                      self->flush();
                    }
                  });
    inner_->enableRead(false);
    flush();
  }

  void start(std::function<void()> on_readable, std::function<void()> on_writable) override {
    if (!inner_) {
      return reactor_.post(std::move(on_readable));  // to learn that the client left
    }
    on_readable_ = std::make_shared<std::function<void()>>(std::move(on_readable));
    reading_ = true;
    inner_->start([run = on_readable_] { (*run)(); },
                  [weak = weak_from_this(), run = std::move(on_writable)] {
                    auto self = weak.lock();
                    if (self && self->flush()) {
                      run();
                    }
                  });
    flush();
    scheduleEarly();
  }

  void enableRead(bool enabled) override {
    reading_ = enabled;
    if (inner_) {
      inner_->enableRead(enabled && early_.empty());
      scheduleEarly();
    }
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (!inner_) {
      return broken();
    }
    if (early_.empty()) {
      return inner_->read(buffer, size);
    }
    const std::size_t n = early_.copy(buffer, size);
    early_.erase(0, n);
    if (early_.empty()) {
      std::string().swap(early_);
      inner_->enableRead(reading_);
    }
    return n;
  }

  Result<std::size_t> write(std::string_view bytes) override {
    if (!inner_ || failed_) {
      return broken();
    }
    if (!flush()) {
      return failed_ ? Result<std::size_t>(broken()) : Result<std::size_t>(std::size_t{0});
    }
    return inner_->write(bytes);
  }

  void onHangup(std::function<void()> fn) override {
    if (inner_) {
      inner_->onHangup(std::move(fn));
    }
  }
  void onGone(std::function<void()> fn) override {
    if (inner_) {
      inner_->onGone(std::move(fn));
    }
  }
  void shutdownWrite() override {
    if (inner_) {
      end_due_ = true;
      flush();
    }
  }
  void close() override {
    on_readable_.reset();
    early_.clear();
    if (inner_) {
      inner_->close();
    }
  }
  void abort() override {
    on_readable_.reset();
    early_.clear();
    if (inner_) {
      inner_->abort();
    }
  }
  [[nodiscard]] int plainFd() const override {
    return inner_ && early_.empty() && unsent_.empty() ? inner_->plainFd() : -1;
  }
  void wantWritable() override {
    if (inner_) {
      inner_->wantWritable();
    }
  }

 private:
  /// True when the head is out of the way and the stream as good as the inner one.
  bool flush() {
    while (!unsent_.empty() && !failed_) {
      Result<std::size_t> n = inner_->write(unsent_);
      failed_ = !n;
      if (failed_ || *n == 0) {
        return false;
      }
      unsent_.erase(0, *n);
    }
    if (std::exchange(end_due_, false)) {
      inner_->shutdownWrite();
    }
    return !failed_;
  }

  /// Early bytes are readable though the kernel knows nothing of them.
  void scheduleEarly() {
    if (early_.empty() || !reading_ || scheduled_ || !on_readable_) {
      return;
    }
    scheduled_ = true;
    reactor_.post([weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) {
        return;
      }
      self->scheduled_ = false;
      auto run = self->on_readable_;
      if (run && self->reading_ && !self->early_.empty()) {
        (*run)();
        self->scheduleEarly();
      }
    });
  }

  Reactor& reactor_;
  net::StreamPtr inner_;
  std::string early_;
  std::string unsent_;
  std::shared_ptr<std::function<void()>> on_readable_;  // shared with the one that is running
  bool reading_ = false;
  bool scheduled_ = false;
  bool end_due_ = false;
  bool failed_ = false;
};

}  // namespace

std::shared_ptr<net::Stream> makeBodyStream(std::shared_ptr<Connection> connection,
                                            std::uint64_t turn) {
  return std::make_shared<BodyStream>(std::move(connection), turn);
}

std::shared_ptr<ResponseStream> makeResponseStream(std::shared_ptr<Connection> connection,
                                                   std::uint64_t turn, bool live) {
  return std::make_shared<ResponseStreamImpl>(std::move(connection), turn, live);
}

std::shared_ptr<HijackedStream> makeHijackedStream(Reactor& reactor) {
  return std::make_shared<HijackedStreamImpl>(reactor);
}

}  // namespace flotilla::http
