#include "api-gateway/routes/stream_heads.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "api-gateway/http/api_version.h"
#include "api-gateway/http/reply.h"
#include "api-gateway/http/standard_headers.h"
#include "api-gateway/streams/document_call.h"
#include "api-gateway/streams/finish_with.h"
#include "common/http/response_head.h"

namespace flotilla::gateway {
namespace {

constexpr std::string_view kRawStream = "application/vnd.docker.raw-stream";
constexpr std::string_view kMultiplexedStream = "application/vnd.docker.multiplexed-stream";

bool wantsUpgrade(const http::Request& request) { return request.headers.has("Upgrade"); }

std::string upgradeHead(bool upgrade, std::string_view type) {
  std::string head = upgrade ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n";
  head += "Content-Type: ";
  head += upgrade ? type : kRawStream;
  head += "\r\n";
  if (upgrade) {
    head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  }
  return head;
}

/// Docker's multiplexing: stream number, three zeros, length in big-endian, bytes.
std::string standardOutputFrame(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string frame{'\x01', '\0', '\0', '\0'};
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    frame += static_cast<char>((size >> shift) & 0xFFU);
  }
  frame += text;
  return frame;
}

Result<void> checkSize(std::string_view what, const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) {
    return {};
  }
  const char* reason =
      error == std::errc::result_out_of_range ? "value out of range" : "invalid syntax";
  return Error{ErrorKind::InvalidArgument,
               "invalid resize " + std::string(what) + " \"" + text + "\": " + reason};
}

}  // namespace

std::string_view streamType(ApiVersion version, bool tty) {
  constexpr ApiVersion kMultiplexedSince{1, 42};
  return !tty && version >= kMultiplexedSince ? kMultiplexedStream : kRawStream;
}

HijackStyle attachStyle(const Call& call) {
  return {.head =
              [upgrade = wantsUpgrade(call.request()),
               version = call.version](const Established& message) {
                return upgradeHead(upgrade, streamType(version, message.env.getBool("tty"))) +
                       "\r\n";
              },
          .failed =
              [](http::Exchange& exchange, const Error& error) {
                const int status = httpStatus(error.kind());
                std::string head = "HTTP/1.1 " + std::to_string(status) + " " +
                                   std::string(http::reasonPhrase(status)) +
                                   "\r\nContent-Type: " + std::string(kRawStream) + "\r\n\r\n";
                finishWith(exchange.hijack(std::move(head)), error.message() + "\r\n");
              }};
}

HijackStyle execStyle(const Call& call, bool tty) {
  auto head = [upgrade = wantsUpgrade(call.request()), type = streamType(call.version, tty)] {
    return upgradeHead(upgrade, type) + standardHeaderLines() + "\r\n";
  };
  return {
      .head = [head](const Established&) { return head(); },
      .failed =
          [head, tty](http::Exchange& exchange, const Error& error) {
            if (error.kind() != ErrorKind::InvalidArgument && error.kind() != ErrorKind::Internal) {
              exchange.respond(errorResponse(error));
              return;
            }
            const std::string text = error.message() + "\r\n";
            finishWith(exchange.hijack(head()), tty ? text : standardOutputFrame(text));
          }};
}

void answerResize(const Call& call) {
  const http::Query& query = call.request().query;
  for (const auto& [what, key] : {std::pair{"height", "h"}, std::pair{"width", "w"}}) {
    if (auto checked = checkSize(what, query.get(key)); !checked) {
      refuse(call, checked.error());
      return;
    }
  }
  answerQuery(call);
}

}  // namespace flotilla::gateway
