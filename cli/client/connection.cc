#include "cli/client/connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

namespace flotilla::cli {
namespace {

Error cannotConnect(const Endpoint& endpoint, std::string_view why) {
  return {ErrorKind::Unavailable, "Cannot connect to the Docker daemon at " + endpoint.text() +
                                      ". Is the docker daemon running? (" + std::string(why) + ")"};
}

std::string tlsReason() {
  char text[256] = "unknown TLS error";
  if (const auto code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

Error notInTime() { return {ErrorKind::DeadlineExceeded, "the daemon did not answer in time"}; }

/// Lets read() block; what else uses the socket says MSG_DONTWAIT.
void makeBlocking(int fd, int timeout_ms) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  if (timeout_ms >= 0) {
    const int at_least = std::max(timeout_ms, 1);  // 0 would be "for ever"
    const timeval limit{at_least / 1000, at_least % 1000 * 1000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
}

/// Waits for a connect() in progress. 0 or an errno.
int finishConnect(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLOUT, 0};
  const int ready = ::poll(&waiting, 1, timeout_ms);
  if (ready <= 0) {
    return ready == 0 ? ETIMEDOUT : errno;
  }
  int failed = 0;
  socklen_t size = sizeof failed;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
  return failed;
}

int connectSocket(int fd, const sockaddr* address, socklen_t size, int timeout_ms) {
  if (::connect(fd, address, size) == 0) {
    return 0;
  }
  if (errno == EAGAIN) {
    // A unix listener's queue is full: a non-blocking connect() cannot wait for it, a blocking can.
    const int flags = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    const int result = ::connect(fd, address, size) == 0 ? 0 : errno;
    ::fcntl(fd, F_SETFL, flags);
    return result;
  }
  return errno == EINPROGRESS ? finishConnect(fd, timeout_ms) : errno;
}

Result<UniqueFd> connectUnix(const Endpoint& endpoint, int timeout_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof address.sun_path) {
    return cannotConnect(endpoint, "the socket's path is too long");
  }
  std::memcpy(address.sun_path, endpoint.path.data(), endpoint.path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return sysError("socket", errno);
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own cast
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (const int failed = connectSocket(fd.get(), generic, sizeof address, timeout_ms)) {
    return cannotConnect(endpoint, sysError("connect", failed).message());
  }
  return fd;
}

Result<UniqueFd> connectTcp(const Endpoint& endpoint, int timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (const int failed = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found)) {
    return cannotConnect(endpoint, ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int last = ECONNREFUSED;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    UniqueFd fd(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
      last = errno;
      continue;
    }
    last = connectSocket(fd.get(), at->ai_addr, at->ai_addrlen, timeout_ms);
    if (last == 0) {
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return fd;
    }
  }
  return cannotConnect(endpoint, sysError("connect", last).message());
}

}  // namespace

void Connection::FreeSsl::operator()(SSL* ssl) const { SSL_free(ssl); }
void Connection::FreeContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::connect(const Endpoint& endpoint, int timeout_ms) {
  FLO_TRY_ASSIGN(auto fd, endpoint.kind == Endpoint::Kind::Unix ? connectUnix(endpoint, timeout_ms)
                                                                : connectTcp(endpoint, timeout_ms));
  Connection connection(std::move(fd), timeout_ms);
  if (endpoint.tls.enabled) {
    FLO_TRY(connection.startTls(endpoint));
  } else {
    makeBlocking(connection.fd(), timeout_ms);
  }
  return connection;
}

Result<void> Connection::startTls(const Endpoint& endpoint) {
  // SSL_write goes through write(2), which raises SIGPIPE when the daemon is gone.
  ::signal(SIGPIPE, SIG_IGN);
  const TlsOptions& tls = endpoint.tls;
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) {
    return cannotConnect(endpoint, tlsReason());
  }
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool trusted = tls.ca_cert.empty() ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
                                           : SSL_CTX_load_verify_locations(
                                                 context_.get(), tls.ca_cert.c_str(), nullptr) == 1;
  if (tls.verify && !trusted) {
    return Error(ErrorKind::InvalidArgument,
                 "could not read CA certificate \"" + tls.ca_cert + "\": " + tlsReason());
  }
  if (!tls.cert.empty() &&
      (SSL_CTX_use_certificate_chain_file(context_.get(), tls.cert.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context_.get(), tls.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
    return Error(ErrorKind::InvalidArgument, "could not load X509 key pair (" + tls.cert + ", " +
                                                 tls.key + "): " + tlsReason());
  }
  SSL_CTX_set_verify(context_.get(), tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  ssl_.reset(SSL_new(context_.get()));
  // SSL_set_tlsext_host_name as the call behind the macro, which casts in C's way.
  SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
           const_cast<char*>(endpoint.host.c_str()));
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, endpoint.host.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(expected, endpoint.host.c_str(), 0);
  }
  SSL_set_fd(ssl_.get(), fd_.get());
  for (int done = SSL_connect(ssl_.get()); done != 1; done = SSL_connect(ssl_.get())) {
    const int wants = SSL_get_error(ssl_.get(), done);
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
      return cannotConnect(endpoint, tlsReason());
    }
    FLO_TRY(waitFor(wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT));
  }
  return {};
}

Result<void> Connection::waitFor(short events) const {
  pollfd waiting{fd_.get(), events, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, timeout_ms_);
    if (ready > 0) {
      return {};
    }
    if (ready == 0) {
      return notInTime();
    }
    if (errno != EINTR) {
      return sysError("poll", errno);
    }
  }
}

Result<std::optional<std::size_t>> Connection::tryRead(std::span<char> buffer) {
  tls_wants_ = POLLIN;
  if (ssl_) {
    const int got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (got > 0) {
      return std::optional(static_cast<std::size_t>(got));
    }
    switch (SSL_get_error(ssl_.get(), got)) {
      case SSL_ERROR_WANT_READ:
        return std::optional<std::size_t>();
      case SSL_ERROR_WANT_WRITE:
        tls_wants_ = POLLOUT;
        return std::optional<std::size_t>();
      case SSL_ERROR_ZERO_RETURN:
        return std::optional<std::size_t>(0);
      default:
        return Error(ErrorKind::Unavailable, "reading from the daemon: " + tlsReason());
    }
  }
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got >= 0) {
    return std::optional(static_cast<std::size_t>(got));
  }
  if (errno == EAGAIN || errno == EINTR) {
    return std::optional<std::size_t>();
  }
  return sysError("reading from the daemon", errno).as(ErrorKind::Unavailable);
}

Result<std::size_t> Connection::tryWrite(std::string_view bytes) {
  tls_wants_ = POLLOUT;
  if (bytes.empty()) {
    return std::size_t{0};
  }
  if (ssl_) {
    const int put = SSL_write(ssl_.get(), bytes.data(),
                              static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U)));
    if (put > 0) {
      return static_cast<std::size_t>(put);
    }
    switch (SSL_get_error(ssl_.get(), put)) {
      case SSL_ERROR_WANT_READ:
        tls_wants_ = POLLIN;
        return std::size_t{0};
      case SSL_ERROR_WANT_WRITE:
        return std::size_t{0};
      default:
        return Error(ErrorKind::Unavailable, "writing to the daemon: " + tlsReason());
    }
  }
  const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put >= 0) {
    return static_cast<std::size_t>(put);
  }
  if (errno == EAGAIN || errno == EINTR) {
    return std::size_t{0};
  }
  return sysError("writing to the daemon", errno).as(ErrorKind::Unavailable);
}

Result<std::size_t> Connection::read(std::span<char> buffer) {
  if (!ssl_) {
    return readPlain(buffer);
  }
  for (;;) {
    FLO_TRY_ASSIGN(const auto got, tryRead(buffer));
    if (got) {
      return *got;
    }
    FLO_TRY(waitFor(tls_wants_));
  }
}

/// In one call into the kernel: the socket blocks, for as long as SO_RCVTIMEO says.
Result<std::size_t> Connection::readPlain(std::span<char> buffer) const {
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno == EAGAIN) {
      return notInTime();
    }
    if (errno != EINTR) {
      return sysError("reading from the daemon", errno).as(ErrorKind::Unavailable);
    }
  }
}

Result<void> Connection::writeAll(std::string_view bytes) {
  while (!bytes.empty()) {
    FLO_TRY_ASSIGN(const auto put, tryWrite(bytes));
    bytes.remove_prefix(put);
    if (put == 0) {
      FLO_TRY(waitFor(tls_wants_));
    }
  }
  return {};
}

Result<void> Connection::shutdownWrite() {
  while (!tryShutdownWrite()) {
    FLO_TRY(waitFor(POLLOUT));
  }
  return {};
}

bool Connection::tryShutdownWrite() {
  if (!ssl_) {
    ::shutdown(fd_.get(), SHUT_WR);
    return true;
  }
  ERR_clear_error();
  const int done = SSL_shutdown(ssl_.get());
  const bool full = done <= 0 && SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return !full;
}

bool Connection::hasBufferedInput() const { return ssl_ && SSL_pending(ssl_.get()) > 0; }

}  // namespace flotilla::cli
