#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/client/connection.h"

namespace flotilla::cli {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};  // besides our own
  /// Ask for the connection itself (attach, exec start): "Upgrade: tcp".
  bool upgrade = false;
};

struct HttpHead {
  int status = 0;
  std::string content_type;
  long long content_length = -1;
  bool chunked = false;
  bool close = false;
};

/// HTTP/1.1 over one kept-alive Connection, for what a general HTTP client cannot do: take the
/// connection over after the header, see the header before the body, and cost next to nothing.
/// Not thread-safe; one request at a time.
class HttpStream {
 public:
  /// Receives pieces of a body; false stops reading (the connection is then unusable).
  using Sink = std::function<bool(std::string_view)>;

  HttpStream(Connection connection, std::string host)
      : connection_(std::move(connection)), host_(std::move(host)) {}

  Result<void> send(const HttpRequest& request);
  /// The next response's header (100-continue is passed over).
  Result<HttpHead> readHead();
  /// The body that follows `head`, to its end.
  Result<void> readBody(const HttpHead& head, const Sink& sink);
  /// send, readHead and the whole body as text.
  Result<std::string> roundTrip(const HttpRequest& request, HttpHead& head);

  /// For a connection that has left HTTP: bytes that came with the header first, then the rest.
  Result<std::size_t> readRaw(std::span<char> buffer);
  Result<std::optional<std::size_t>> tryReadRaw(std::span<char> buffer);
  [[nodiscard]] bool hasBufferedInput() const {
    return begin_ < end_ || connection_.hasBufferedInput();
  }
  Connection& connection() { return connection_; }

 private:
  Result<bool> fill();
  /// Valid until the next one is read.
  Result<std::string_view> readLine();
  Result<void> readExactly(unsigned long long size, const Sink& sink);
  Result<void> readChunks(const Sink& sink);
  [[nodiscard]] std::string_view buffered() const {
    return {buffer_.data() + begin_, end_ - begin_};
  }

  Connection connection_;
  std::string host_;
  std::vector<char> buffer_ = std::vector<char>(64 * 1024);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace flotilla::cli
