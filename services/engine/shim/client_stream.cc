#include "engine/shim/client_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

namespace flotilla::engine::shim {
namespace {

constexpr std::size_t kInputPiece = 32 * 1024;

std::array<char, 8> muxHeader(Channel channel, std::size_t size) {
  const auto byte = [size](unsigned shift) { return static_cast<char>((size >> shift) & 0xffU); };
  return {static_cast<char>(channel), 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
}

}  // namespace

std::shared_ptr<ClientStream> ClientStream::create(EventLoop& loop, UniqueFd fd,
                                                   StreamOptions options) {
  return std::make_shared<ClientStream>(loop, std::move(fd), std::move(options));
}

ClientStream::ClientStream(EventLoop& loop, UniqueFd fd, StreamOptions options)
    : loop_(loop), fd_(std::move(fd)), options_(std::move(options)) {}

ClientStream::~ClientStream() {
  if (fd_) {
    loop_.unwatch(watch_);
  }
}

void ClientStream::start(Events events) {
  events_ = std::move(events);
  watch_ = loop_.watch(fd_.get(), EPOLLERR, [this](std::uint32_t ready) {
    const auto self = shared_from_this();  // a callback may drop the last owner
    onEvents(ready);
  });
  updateWatch();
}

bool ClientStream::wants(Channel channel) const {
  return channel == Channel::Stderr ? options_.err : channel != Channel::Stdout || options_.out;
}

void ClientStream::updateWatch() {
  if (!fd_) {
    return;
  }
  // EPOLLERR keeps the watch for hang-ups when there is nothing else to wait for.
  std::uint32_t wanted = EPOLLERR;
  wanted |=
      options_.in && input_enabled_ && !input_ended_ ? static_cast<std::uint32_t>(EPOLLIN) : 0U;
  wanted |= backlog() > 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  loop_.modify(watch_, wanted);
}

void ClientStream::onEvents(std::uint32_t events) {
  if ((events & EPOLLIN) != 0) {
    readInput();
  }
  if (fd_ && (events & EPOLLOUT) != 0) {
    flush();
  }
  if (!fd_ || (events & (EPOLLHUP | EPOLLERR)) == 0) {
    return;
  }
  if (options_.in && !input_ended_ && !input_enabled_) {
    loop_.modify(watch_, 0);  // the client left, but its last input waits for the process
  } else if ((events & EPOLLIN) == 0 || input_ended_) {
    close();
  }
}

void ClientStream::readInput() {
  static std::array<char, kInputPiece> buffer;  // one loop, one thread
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) {
    events_.input(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  input_ended_ = true;
  updateWatch();
  events_.input_end();
}

void ClientStream::write(Channel channel, std::string_view bytes) {
  if (!fd_ || finishing_ || bytes.empty() || !wants(channel)) {
    return;
  }
  const std::array<char, 8> header = muxHeader(channel, bytes.size());
  const std::size_t header_size = options_.raw ? 0 : header.size();
  std::size_t sent = 0;
  if (backlog() == 0) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(header.data()), header_size},
                               iovec{const_cast<char*>(bytes.data()), bytes.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t result = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result < 0 && errno != EAGAIN && errno != EINTR) {
      loop_.defer([self = shared_from_this()] { self->close(); });
      return;
    }
    sent = result > 0 ? static_cast<std::size_t>(result) : 0;
  }
  if (sent == header_size + bytes.size()) {
    return;
  }
  if (sent < header_size) {
    backlog_.append(header.data() + sent, header_size - sent);
    sent = header_size;
  }
  backlog_.append(bytes.substr(sent - header_size));
  updateWatch();
}

void ClientStream::flush() {
  while (backlog() > 0) {
    const ssize_t result =
        ::send(fd_.get(), backlog_.data() + sent_, backlog(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
      updateWatch();
      return;
    }
    if (result < 0) {
      close();
      return;
    }
    sent_ += static_cast<std::size_t>(result);
  }
  backlog_.clear();
  if (backlog_.capacity() > 128 * 1024) {
    backlog_.shrink_to_fit();
  }
  sent_ = 0;
  updateWatch();
  if (finishing_) {
    close();
  } else {
    events_.drained();
  }
}

void ClientStream::enableInput(bool enabled) {
  input_enabled_ = enabled;
  updateWatch();
}

void ClientStream::finish() {
  if (std::exchange(finishing_, true) || !fd_) {
    return;
  }
  if (backlog() == 0) {
    // Not from within a caller's loop over its streams.
    loop_.defer([self = shared_from_this()] { self->close(); });
  }
}

void ClientStream::fail(std::string_view message) {
  if (options_.raw) {  // a terminal's stream has no frames to tell it apart
    write(Channel::Stdout, "\r\n" + std::string(message) + "\r\n");
  } else {
    write(Channel::System, message);
  }
  finish();
}

void ClientStream::close() {
  if (!fd_) {
    return;
  }
  loop_.unwatch(watch_);
  // Unread input would turn the peer's end of stream into a connection reset.
  ::shutdown(fd_.get(), SHUT_RDWR);
  std::array<char, 4096> rest;
  while (::recv(fd_.get(), rest.data(), rest.size(), MSG_DONTWAIT) > 0) {
  }
  fd_.reset();
  backlog_.clear();
  sent_ = 0;
  events_.gone();
}

}  // namespace flotilla::engine::shim
