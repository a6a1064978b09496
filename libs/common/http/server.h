#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/http/exchange.h"
#include "common/net/tls_context.h"
#include "common/os/unique_fd.h"

namespace flotilla::http {

/// What was answered, for access logs and metrics.
struct AccessRecord {
  std::shared_ptr<const Request> request;  // never null; with its peer alone when it was malformed
  int status = 0;  // 0: the client left, or the answer was cut, before there was one
  std::uint64_t body_bytes = 0;
  std::chrono::steady_clock::duration took{};
};

struct ServerOptions {
  /// From the first byte of a request to the last of its head.
  std::chrono::milliseconds header_timeout{30'000};
  /// Between two pieces of a body that readBody() waits for, or that is drained.
  std::chrono::milliseconds body_timeout{60'000};
  /// After each response, and for responses the server makes itself. Runs on the loop's thread.
  std::function<void(const AccessRecord&)> on_complete = {};
};

struct ServerContext;

/// HTTP/1.x server side on connections that others accept. It has no thread: everything runs on
/// the reactor's, `handler` included, which must not block. An idle connection costs about a
/// kilobyte and no timer. Methods on the loop's thread (or while it does not run).
///
/// Exchanges and their streams may outlive the server, never the reactor.
class Server {
 public:
  using Handler = std::function<void(ExchangePtr)>;

  Server(Reactor& reactor, Handler handler, ServerOptions options = {});
  /// Closes every connection; open streams break.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves a connected, non-blocking socket, with TLS when `tls` is given.
  void adopt(UniqueFd connection, std::string peer, net::TlsContextPtr tls = nullptr);

  /// Graceful end: idle connections close now, the others after the response they owe. `drained`
  /// runs once none is left (hijacked ones are not the server's any more).
  void stop(std::function<void()> drained);

  [[nodiscard]] std::size_t connections() const;
  /// Requests without a complete response.
  [[nodiscard]] std::size_t activeRequests() const;

 private:
  std::shared_ptr<ServerContext> context_;  // shared with connections that outlive us a little
};

}  // namespace flotilla::http
