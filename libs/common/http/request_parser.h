#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/exchange.h"

namespace flotilla::http {

/// Frames one HTTP/1.x request out of bytes that somebody else reads. First the head, whole; then
/// the body in pieces of the caller's size. The framing library is seen by request_parser.cc alone.
///
/// Refused: heads over 64 KiB or 256 fields, several or mixed lengths, transfer codings other than
/// chunked, HTTP/1.1 without Host, bad targets and escapes, NUL in paths, chunk extensions out of
/// proportion. A request without a length has an empty body.
class RequestParser {
 public:
  static constexpr std::size_t kHeadLimit = 64 * 1024;
  static constexpr std::size_t kFieldLimit = 256;

  /// Why a request is not served, with the status code of the answer.
  struct Refusal {
    int status = 400;
    std::string message;
  };
  enum class Outcome { NeedMore, Done, Refused };

  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// `input` is all that is unconsumed so far. `consumed` bytes of it are done with.
  Outcome parseHead(std::string_view input, std::size_t& consumed);
  [[nodiscard]] const Refusal& refusal() const;

  // After Done:
  Request takeRequest();
  [[nodiscard]] bool keepAlive() const;
  [[nodiscard]] bool expectsContinue() const;
  [[nodiscard]] bool bodyDone() const;
  /// Bytes of body still to come, when the client said.
  [[nodiscard]] std::optional<std::uint64_t> bodyRemaining() const;

  struct Piece {
    std::size_t consumed = 0;  // of the input
    std::size_t produced = 0;  // into the output; 0 with bodyDone() false: more input is needed
  };
  /// The next body bytes. Errors: InvalidArgument on bad framing; the connection is lost then.
  Result<Piece> parseBody(std::string_view input, char* output, std::size_t size);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::http
