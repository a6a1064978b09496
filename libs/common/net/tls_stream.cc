#include "common/net/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "common/net/socket_stream.h"
#include "common/net/socket_watch.h"
#include "common/net/tls_bio.h"
#include "common/net/tls_close_notify.h"

namespace flotilla::net {
namespace {

constexpr std::size_t kRecord = 16 * 1024;  // the most one TLS record carries

/// One session. Its states follow each other and are never left backwards:
/// handshake_ -> open -> (broken_ | closed: no fd_).
class TlsStream final : public Stream, public std::enable_shared_from_this<TlsStream> {
 public:
  TlsStream(Reactor& reactor, UniqueFd socket, TlsStreamOptions options)
      : reactor_(reactor),
        context_(std::move(options.context)),
        fd_(std::move(socket)),
        watch_(reactor, fd_.get()),
        ssl_(SSL_new(context_->native())) {
    watch_.setHandler([this](std::uint32_t events) { handle(events); });
    server_name_ = std::move(options.server_name);
  }
  ~TlsStream() override { reactor_.cancelTimer(handshake_timer_); }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// After construction, when shared_from_this works.
  void begin(std::chrono::milliseconds handshake_timeout);

  void start(std::function<void()> on_readable, std::function<void()> on_writable) override;
  void enableRead(bool enabled) override;
  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Result<std::size_t> write(std::string_view bytes) override;
  void onHangup(std::function<void()> fn) override;
  void onGone(std::function<void()> fn) override;
  void shutdownWrite() override;
  void close() override;
  void abort() override;

 private:
  struct Callbacks {
    std::function<void()> on_readable;
    std::function<void()> on_writable;
  };

  void setPeerName();
  void handle(std::uint32_t events);
  void continueHandshake();
  void handshakeDone();
  void breakWith(Error error);
  /// The Result of an operation that returned `rc`: would-block sets what is waited for.
  Error classify(int rc, bool reading);
  bool writeRecord(std::string_view record);
  /// Sends what is pending, then close_notify; later, when the socket is full.
  void finishOutput();
  void updateInterest();
  /// Decrypted bytes and errors wait inside the session, where epoll cannot see them.
  void scheduleReadable();
  [[nodiscard]] bool readableInside() const {
    return broken_ || ended_ || (!drained_ && SSL_has_pending(ssl_.get()) == 1);
  }
  void runReadable();
  UniqueFd release();

  Reactor& reactor_;
  TlsContextPtr context_;
  UniqueFd fd_;
  SocketWatch watch_;  // after fd_: leaves epoll before the descriptor closes
  TlsSession ssl_;
  std::string server_name_;
  std::shared_ptr<Callbacks> callbacks_;  // shared with the one that is running
  std::function<void()> on_hangup_;
  std::function<void()> on_gone_;
  std::optional<Error> broken_;
  std::string pending_;  // a record OpenSSL has sealed and wants offered again unchanged
  Reactor::TimerId handshake_timer_ = 0;
  bool handshake_ = true;
  bool ended_ = false;    // close_notify received
  bool drained_ = false;  // what the session has read ahead is no whole record
  bool close_notify_due_ = false;
  bool read_enabled_ = false;
  bool write_wanted_ = false;         // the user's
  bool session_wants_write_ = false;  // OpenSSL's, for handshake and key updates
  bool readable_scheduled_ = false;
};

void TlsStream::begin(std::chrono::milliseconds handshake_timeout) {
  BIO* bio = ssl_ ? makeSocketBio(fd_.get()) : nullptr;
  if (bio == nullptr) {
    return breakWith({ErrorKind::Internal, "TLS: out of memory"});
  }
  SSL_set_bio(ssl_.get(), bio, bio);  // the session owns it
  if (context_->role() == TlsContext::Role::Server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    setPeerName();
    SSL_set_connect_state(ssl_.get());
  }
  handshake_timer_ = reactor_.runAfter(handshake_timeout, [weak = weak_from_this()] {
    if (auto self = weak.lock(); self && self->handshake_) {
      self->breakWith({ErrorKind::Internal, "TLS handshake: timed out", ETIMEDOUT});
    }
  });
  continueHandshake();
}

void TlsStream::setPeerName() {
  if (server_name_.empty()) {
    return;
  }
  std::array<unsigned char, sizeof(in6_addr)> ip{};
  bool literal = ::inet_pton(AF_INET, server_name_.c_str(), ip.data()) == 1 ||
                 ::inet_pton(AF_INET6, server_name_.c_str(), ip.data()) == 1;
  if (literal) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), server_name_.c_str());
  } else {
    SSL_set1_host(ssl_.get(), server_name_.c_str());
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             server_name_.data());
  }
}

void TlsStream::start(std::function<void()> on_readable, std::function<void()> on_writable) {
  callbacks_ =
      std::make_shared<Callbacks>(Callbacks{std::move(on_readable), std::move(on_writable)});
  enableRead(true);
}

void TlsStream::enableRead(bool enabled) {
  read_enabled_ = enabled;
  updateInterest();
  scheduleReadable();
}

void TlsStream::onHangup(std::function<void()> fn) {
  on_hangup_ = std::move(fn);
  updateInterest();
}

void TlsStream::onGone(std::function<void()> fn) {
  on_gone_ = std::move(fn);
  updateInterest();
}

void TlsStream::handle(std::uint32_t events) {
  constexpr std::uint32_t kGone = EPOLLHUP | EPOLLERR;
  auto self = shared_from_this();
  session_wants_write_ = false;
  if (handshake_ && !broken_) {
    continueHandshake();
  }
  if (fd_ && (events & (EPOLLOUT | kGone)) != 0 && !handshake_) {
    if (close_notify_due_) {
      finishOutput();
    }
    if (write_wanted_ && callbacks_) {
      write_wanted_ = false;
      auto running = callbacks_;
      running->on_writable();
    }
  }
  if (fd_ && (events & (EPOLLRDHUP | kGone)) != 0 && on_hangup_) {
    std::function<void()> running = std::exchange(on_hangup_, nullptr);
    running();
  }
  if (!handshake_ && (events & (EPOLLIN | EPOLLRDHUP | kGone)) != 0) {
    runReadable();
  }
  if (fd_ && (events & kGone) != 0 && on_gone_) {
    std::function<void()> running = std::exchange(on_gone_, nullptr);
    running();
  }
  updateInterest();
  scheduleReadable();
}

void TlsStream::runReadable() {
  if (fd_ && read_enabled_ && callbacks_) {
    auto running = callbacks_;
    running->on_readable();
  }
}

void TlsStream::continueHandshake() {
  ERR_clear_error();
  int rc = SSL_do_handshake(ssl_.get());
  if (rc == 1) {
    return handshakeDone();
  }
  int reason = SSL_get_error(ssl_.get(), rc);
  if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
    session_wants_write_ = reason == SSL_ERROR_WANT_WRITE;
    return updateInterest();
  }
  long verified = SSL_get_verify_result(ssl_.get());
  std::string why = verified != X509_V_OK         ? X509_verify_cert_error_string(verified)
                    : reason == SSL_ERROR_SYSCALL ? "the peer closed the connection"
                                                  : takeTlsError();
  breakWith({ErrorKind::Internal, "TLS handshake: " + why});
}

void TlsStream::handshakeDone() {
  handshake_ = false;
  reactor_.cancelTimer(std::exchange(handshake_timer_, 0));
  updateInterest();
  scheduleReadable();
}

void TlsStream::breakWith(Error error) {
  if (!broken_) {
    broken_ = std::move(error);
  }
  handshake_ = false;
  reactor_.cancelTimer(std::exchange(handshake_timer_, 0));
  pending_ = {};
  updateInterest();
  scheduleReadable();
}

Error TlsStream::classify(int rc, bool reading) {
  int err = errno;
  switch (SSL_get_error(ssl_.get(), rc)) {
    case SSL_ERROR_WANT_WRITE:
      session_wants_write_ = session_wants_write_ || reading;
      [[fallthrough]];
    case SSL_ERROR_WANT_READ:
      updateInterest();
      return {ErrorKind::Unavailable, "nothing to read", EAGAIN};
    case SSL_ERROR_SYSCALL:
      broken_ = err != 0 ? sysError("TLS", err) : Error(ErrorKind::Internal, "TLS: connection cut");
      break;
    default:
      broken_ = Error(ErrorKind::Internal, "TLS: " + takeTlsError());
  }
  updateInterest();
  return *broken_;
}

Result<std::size_t> TlsStream::read(char* buffer, std::size_t size) {
  if (!fd_) {
    return Error(ErrorKind::Internal, "stream is closed", EBADF);
  }
  if (broken_) {
    return *broken_;
  }
  if (ended_) {
    return std::size_t{0};
  }
  if (handshake_) {
    return Error(ErrorKind::Unavailable, "nothing to read", EAGAIN);
  }
  std::size_t total = 0;
  int rc = 1;
  while (total < size && rc == 1) {  // a record a turn
    ERR_clear_error();
    std::size_t got = 0;
    rc = SSL_read_ex(ssl_.get(), buffer + total, size - total, &got);
    total += rc == 1 ? got : 0;
  }
  drained_ = rc != 1;
  if (!drained_) {
    return total;
  }
  // What stopped it is told by the next call when there is something to take first.
  if (SSL_get_error(ssl_.get(), rc) == SSL_ERROR_ZERO_RETURN) {
    ended_ = true;
    updateInterest();
    return total;
  }
  Error why = classify(rc, true);
  return total > 0 ? Result<std::size_t>(total) : std::move(why);
}

Result<std::size_t> TlsStream::write(std::string_view bytes) {
  if (!fd_) {
    return Error(ErrorKind::Internal, "stream is closed", EBADF);
  }
  if (broken_) {
    return *broken_;
  }
  if (bytes.empty()) {
    return std::size_t{0};
  }
  std::size_t taken = 0;
  while (!handshake_ && taken < bytes.size()) {
    // What is pending is the beginning of what is offered: the caller was told it was not taken.
    const std::string_view record = pending_.empty() ? bytes.substr(taken, kRecord) : pending_;
    const std::size_t size = std::min(record.size(), bytes.size() - taken);
    if (!writeRecord(record)) {
      break;
    }
    taken += size;
  }
  if (broken_) {
    return *broken_;
  }
  write_wanted_ = taken < bytes.size();
  updateInterest();
  return taken;
}

bool TlsStream::writeRecord(std::string_view record) {
  ERR_clear_error();
  std::size_t written = 0;
  int rc = SSL_write_ex(ssl_.get(), record.data(), record.size(), &written);
  if (rc == 1) {
    std::string().swap(pending_);
    return true;
  }
  if (classify(rc, false).kind() == ErrorKind::Unavailable && pending_.empty()) {
    pending_ = record;
  }
  return false;
}

void TlsStream::finishOutput() {
  if (broken_ || (!pending_.empty() && !writeRecord(pending_))) {
    return;
  }
  close_notify_due_ = !sendCloseNotify(ssl_.get());
}

void TlsStream::shutdownWrite() {
  if (!fd_ || broken_) {
    return;
  }
  close_notify_due_ = true;
  if (!handshake_) {
    finishOutput();
    updateInterest();
  }
}

void TlsStream::updateInterest() {
  if (!fd_) {
    return;
  }
  std::uint32_t events = 0;
  if (handshake_) {
    events = session_wants_write_ ? EPOLLOUT : EPOLLIN;
  } else if (!broken_) {
    bool reading = read_enabled_ && callbacks_ && !ended_;
    bool writing = write_wanted_ || session_wants_write_ || close_notify_due_;
    events |= reading ? EPOLLIN : 0U;
    events |= writing ? EPOLLOUT : 0U;
    events |= on_hangup_ ? EPOLLRDHUP : 0U;
    events |= on_gone_ ? EPOLLERR : 0U;  // reported unasked: only keeps the socket in epoll
  }
  watch_.want(events);
}

void TlsStream::scheduleReadable() {
  bool wake_writer = broken_ && write_wanted_;
  if (!fd_ || !callbacks_ || readable_scheduled_ || handshake_ ||
      !(wake_writer || (read_enabled_ && readableInside()))) {
    return;
  }
  readable_scheduled_ = true;
  reactor_.post([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self) {
      return;
    }
    self->readable_scheduled_ = false;
    if (self->broken_ && self->write_wanted_ && self->callbacks_) {
      self->write_wanted_ = false;
      auto running = self->callbacks_;
      running->on_writable();
    }
    if (self->fd_ && self->readableInside()) {
      self->runReadable();
    }
    self->scheduleReadable();
  });
}

UniqueFd TlsStream::release() {
  watch_.want(0);
  callbacks_.reset();
  reactor_.cancelTimer(std::exchange(handshake_timer_, 0));
  std::function<void()> dying = std::exchange(on_hangup_, nullptr);
  std::function<void()> dying_too = std::exchange(on_gone_, nullptr);
  return std::move(fd_);
}

void TlsStream::close() {
  // A half-sent record bars any other.
  const bool can_say_so = fd_ && !handshake_ && !broken_ && pending_.empty();
  UniqueFd socket = release();
  if (can_say_so && !sendCloseNotify(ssl_.get())) {
    sendCloseNotifyLater(reactor_, std::move(socket), std::move(ssl_));
  }
}

void TlsStream::abort() { resetConnection(release()); }

}  // namespace

StreamPtr makeTlsStream(Reactor& reactor, UniqueFd socket, TlsStreamOptions options) {
  const auto timeout = options.handshake_timeout;
  auto stream = std::make_shared<TlsStream>(reactor, std::move(socket), std::move(options));
  stream->begin(timeout);
  return stream;
}

}  // namespace flotilla::net
