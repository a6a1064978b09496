#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "cli/client/endpoint.h"
#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::cli {

/// A connected socket to a daemon, with TLS where the endpoint asks for it. Not thread-safe.
/// read(), writeAll() and shutdownWrite() block (up to the timeout given to connect); what begins
/// with "try" never does and is for loops over poll().
class Connection {
 public:
  /// Errors: Unavailable when nothing listens there or TLS is refused, each with a message for
  /// the user. `timeout_ms` bounds connecting and every blocking call; -1 waits for ever.
  static Result<Connection> connect(const Endpoint& endpoint, int timeout_ms = -1);

  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// At least one byte, or 0 at the end of input. Errors: DeadlineExceeded, Unavailable.
  Result<std::size_t> read(std::span<char> buffer);
  Result<void> writeAll(std::string_view bytes);

  /// nullopt when nothing can be read now; 0 is end of input.
  Result<std::optional<std::size_t>> tryRead(std::span<char> buffer);
  /// Bytes taken; 0 when there is no room now.
  Result<std::size_t> tryWrite(std::string_view bytes);

  /// Ends our output (a TLS session sends close_notify); input stays open.
  Result<void> shutdownWrite();
  /// False when there is no room for that now.
  [[nodiscard]] bool tryShutdownWrite();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Bytes wait inside the TLS session that poll() on fd() cannot see.
  [[nodiscard]] bool hasBufferedInput() const;

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const;
  };
  struct FreeContext {
    void operator()(SSL_CTX* context) const;
  };

  Connection(UniqueFd fd, int timeout_ms) : fd_(std::move(fd)), timeout_ms_(timeout_ms) {}
  Result<void> startTls(const Endpoint& endpoint);
  Result<void> waitFor(short events) const;
  Result<std::size_t> readPlain(std::span<char> buffer) const;

  UniqueFd fd_;
  int timeout_ms_ = -1;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  /// What the TLS session waits for, when a call on it would block.
  short tls_wants_ = 0;
};

}  // namespace flotilla::cli
