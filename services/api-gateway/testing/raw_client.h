#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/os/unique_fd.h"

namespace flotilla::gateway {

/// A blocking HTTP/1.1 client on a unix socket that shows the bytes. Every wait ends after 10 s
/// (then the call returns what came). For tests.
class RawClient {
 public:
  struct Answer {
    int status = 0;
    std::string head;                            // status line and headers, "\r\n" at line ends
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // chunked coding removed
    bool complete = false;                       // framing ended as it should
  };

  explicit RawClient(const std::string& socket_path);

  void send(std::string_view bytes);
  /// Sends one request; "Host" and, with a body, length and JSON type are added.
  void request(std::string_view method, std::string_view target, std::string_view body = {},
               std::string_view extra_headers = {});
  /// Reads one response, its body included.
  Answer answer();
  Answer call(std::string_view method, std::string_view target, std::string_view body = {},
              std::string_view extra_headers = {});
  /// Reads a status line and headers only; the body stays to be read.
  Answer head();

  /// Reads until `text` was seen; returns everything up to and with it.
  std::string readUntil(std::string_view text);
  /// Reads until end of input.
  std::string readAll();
  /// Exactly `size` bytes.
  std::string readExactly(std::size_t size);
  void shutdownWrite();
  void close() { fd_.reset(); }

 private:
  bool fill();
  void readChunks(Answer& answer);

  UniqueFd fd_;
  std::string buffer_;
};

}  // namespace flotilla::gateway
