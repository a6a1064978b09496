#include "common/net/socket_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/net/socket_watch.h"

namespace flotilla::net {
namespace {

Error brokenStream() { return {ErrorKind::Internal, "stream is closed", EBADF}; }

class SocketStream final : public Stream, public std::enable_shared_from_this<SocketStream> {
 public:
  SocketStream(Reactor& reactor, UniqueFd socket)
      : fd_(std::move(socket)), watch_(reactor, fd_.get()) {
    watch_.setHandler([this](std::uint32_t events) { handle(events); });
  }

  void start(std::function<void()> on_readable, std::function<void()> on_writable) override {
    callbacks_ =
        std::make_shared<Callbacks>(Callbacks{std::move(on_readable), std::move(on_writable)});
    enableRead(true);
  }

  void enableRead(bool enabled) override {
    read_enabled_ = enabled;
    updateInterest();
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Result<std::size_t> write(std::string_view bytes) override;

  void onHangup(std::function<void()> fn) override {
    on_hangup_ = std::move(fn);
    updateInterest();
  }

  void onGone(std::function<void()> fn) override {
    on_gone_ = std::move(fn);
    updateInterest();
  }

  void shutdownWrite() override {
    if (fd_) {
      ::shutdown(fd_.get(), SHUT_WR);
    }
  }

  void close() override { release().reset(); }
  void abort() override { resetConnection(release()); }

  [[nodiscard]] int plainFd() const override { return fd_.get(); }
  void wantWritable() override {
    write_wanted_ = true;
    updateInterest();
  }

 private:
  struct Callbacks {
    std::function<void()> on_readable;
    std::function<void()> on_writable;
  };

  void handle(std::uint32_t events);
  void updateInterest();

  UniqueFd release() {
    watch_.want(0);
    callbacks_.reset();
    std::function<void()> dying = std::exchange(on_hangup_, nullptr);
    std::function<void()> dying_too = std::exchange(on_gone_, nullptr);
    return std::move(fd_);
  }

  UniqueFd fd_;
  SocketWatch watch_;                     // after fd_: leaves epoll before the descriptor closes
  std::shared_ptr<Callbacks> callbacks_;  // shared with the one that is running
  std::function<void()> on_hangup_;
  std::function<void()> on_gone_;
  bool read_enabled_ = false;
  bool write_wanted_ = false;
};

void SocketStream::updateInterest() {
  if (!fd_) {
    return;
  }
  std::uint32_t events = 0;
  if (read_enabled_ && callbacks_) {
    events |= EPOLLIN;
  }
  if (write_wanted_ && callbacks_) {
    events |= EPOLLOUT;
  }
  if (on_hangup_) {
    events |= EPOLLRDHUP;
  }
  if (on_gone_) {
    events |= EPOLLERR;  // reported unasked, like hang-ups: only keeps the socket in epoll
  }
  watch_.want(events);
}

void SocketStream::handle(std::uint32_t events) {
  constexpr std::uint32_t kGone = EPOLLHUP | EPOLLERR;
  auto self = shared_from_this();
  if ((events & (EPOLLOUT | kGone)) != 0 && write_wanted_ && callbacks_) {
    write_wanted_ = false;
    updateInterest();
    auto running = callbacks_;
    running->on_writable();
  }
  if ((events & (EPOLLRDHUP | kGone)) != 0 && on_hangup_) {
    std::function<void()> running = std::exchange(on_hangup_, nullptr);
    updateInterest();
    running();
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | kGone)) != 0 && read_enabled_ && callbacks_) {
    auto running = callbacks_;
    running->on_readable();
  }
  if ((events & kGone) != 0 && on_gone_) {
    std::function<void()> running = std::exchange(on_gone_, nullptr);
    updateInterest();
    running();
  }
}

Result<std::size_t> SocketStream::read(char* buffer, std::size_t size) {
  if (!fd_) {
    return brokenStream();
  }
  for (;;) {
    ssize_t n = ::recv(fd_.get(), buffer, size, MSG_DONTWAIT);
    if (n >= 0) {
      return static_cast<std::size_t>(n);
    }
    if (errno == EAGAIN) {
      return Error(ErrorKind::Unavailable, "nothing to read", EAGAIN);
    }
    if (errno != EINTR) {
      return sysError("read", errno);
    }
  }
}

Result<std::size_t> SocketStream::write(std::string_view bytes) {
  if (!fd_) {
    return brokenStream();
  }
  std::size_t written = 0;
  while (written < bytes.size()) {
    ssize_t n = ::send(fd_.get(), bytes.data() + written, bytes.size() - written,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0 && errno != EAGAIN) {
      return sysError("write", errno);
    }
    if (n < 0) {
      wantWritable();
      break;
    }
    written += static_cast<std::size_t>(n);
  }
  return written;
}

}  // namespace

StreamPtr makeSocketStream(Reactor& reactor, UniqueFd socket) {
  return std::make_shared<SocketStream>(reactor, std::move(socket));
}

void resetConnection(UniqueFd socket) {
  if (socket) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
}

}  // namespace flotilla::net
