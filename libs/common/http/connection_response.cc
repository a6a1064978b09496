#include <charconv>
#include <utility>

#include "common/http/connection.h"

namespace flotilla::http {
namespace {

constexpr std::size_t kMaxUnsent = 64 * 1024;  // of an open response; then its writer waits

std::optional<std::uint64_t> givenLength(const Response& response) {
  const std::string_view text = response.headers.get("Content-Length");
  std::uint64_t length = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), length);
  return !text.empty() && ec == std::errc{} && end == text.data() + text.size()
             ? std::optional(length)
             : std::nullopt;
}

Error streamCut() { return {ErrorKind::Internal, "the client left", EPIPE}; }

}  // namespace

bool Connection::mustClose() const {
  const Turn& turn = *turn_;
  if (!turn.keep_alive || close_when_idle_ || turn.body_error ||
      (input_ended_ && input().empty())) {
    return true;
  }
  if (turn.parser.bodyDone()) {
    return false;
  }
  // A client that waits for 100 may or may not send the body now: nobody can tell what comes next.
  return turn.continue_due || turn.parser.bodyRemaining().value_or(0) > kMaxDrained;
}

void Connection::writeHead(const Response& response, std::optional<std::uint64_t> length) {
  Turn& turn = *turn_;
  turn.keep_alive = turn.framing != Framing::UntilClose && !mustClose() &&
                    response.headers.get("Connection") != "close";
  turn.record.status = response.status;
  appendHead(out_, response,
             {.framing = turn.framing,
              .content_length = length,
              .close = !turn.keep_alive,
              .http_1_0 = turn.http_1_0});
}

void Connection::respond(std::uint64_t turn, const Response& response) {
  if (!isCurrent(turn) || turn_->phase != Turn::Phase::Pending) {
    return;
  }
  std::optional<std::uint64_t> length;
  if (statusHasBody(response.status)) {
    length = response.body.size();
    if (turn_->is_head && response.body.empty()) {
      length = givenLength(response).value_or(0);  // HEAD tells the length of what GET would bring
    }
  }
  const bool with_body = length && !turn_->is_head;
  turn_->framing = with_body ? Framing::Counted : Framing::None;
  out_.reserve(out_.size() + 512 + (with_body ? response.body.size() : 0));
  writeHead(response, length);
  if (with_body) {
    out_ += response.body;
    turn_->record.body_bytes = response.body.size();
  }
  turn_->phase = Turn::Phase::Done;
  drive();
}

void Connection::openResponse(std::uint64_t turn, const Response& head) {
  if (!isCurrent(turn) || turn_->phase != Turn::Phase::Pending) {
    return;
  }
  if (turn_->body_taken) {
    sendContinue();
  }
  const auto length = givenLength(head);
  if (turn_->is_head || !statusHasBody(head.status)) {
    turn_->framing = Framing::None;
  } else if (length) {
    turn_->framing = Framing::Counted;
    turn_->counted_left = *length;
  } else {
    turn_->framing = turn_->http_1_0 ? Framing::UntilClose : Framing::Chunked;
  }
  writeHead(head, length);
  turn_->phase = Turn::Phase::Open;
  drive();
}

void Connection::setResponseCallbacks(std::uint64_t turn, std::function<void()> on_cut,
                                      std::function<void()> on_room) {
  if (!isCurrent(turn)) {
    if (on_cut) {
      reactor().post(std::move(on_cut));
    }
    return;
  }
  // The old ones end last: they may hold what calls us again.
  const auto old_cut = std::exchange(turn_->on_stream_cut, std::move(on_cut));
  const auto old_room = std::exchange(turn_->on_room, std::move(on_room));
  if (turn_->gone && turn_->on_stream_cut) {
    reactor().post(turn_->on_stream_cut);
  }
}

Result<std::size_t> Connection::writeResponse(std::uint64_t turn, std::string_view bytes) {
  if (!isCurrent(turn) || turn_->phase != Turn::Phase::Open) {
    return streamCut();
  }
  if (turn_->framing == Framing::None) {
    return bytes.size();
  }
  if (turn_->framing == Framing::Counted && bytes.size() > turn_->counted_left) {
    return Error(ErrorKind::Internal, "the body is longer than its Content-Length");
  }
  std::size_t taken = 0;
  while (taken < bytes.size() && unsent() < kMaxUnsent) {
    const std::string_view piece = bytes.substr(taken, kMaxUnsent);
    if (turn_->framing == Framing::Chunked) {
      appendChunk(out_, piece);
    } else {
      out_ += piece;
    }
    taken += piece.size();
    if (!flush()) {
      return streamCut();
    }
  }
  if (out_.empty()) {
    std::string().swap(out_);  // an open response that is silent keeps no buffer
  }
  if (turn_->framing == Framing::Counted) {
    turn_->counted_left -= taken;
  }
  turn_->record.body_bytes += taken;
  turn_->room_wanted = taken < bytes.size();
  return taken;
}

void Connection::endResponse(std::uint64_t turn) {
  if (!isCurrent(turn) || turn_->phase != Turn::Phase::Open) {
    return;
  }
  if (turn_->framing == Framing::Counted && turn_->counted_left > 0) {
    return abortResponse(turn);
  }
  if (turn_->framing == Framing::Chunked) {
    out_ += kLastChunk;
  }
  turn_->phase = Turn::Phase::Done;
  drive();
}

void Connection::abortResponse(std::uint64_t turn) {
  if (isCurrent(turn) && turn_->phase == Turn::Phase::Open) {
    auto self = shared_from_this();
    leave();
    stream_->abort();
  }
}

void Connection::onClientGone(std::uint64_t turn, std::function<void()> fn) {
  if (clientGone(turn)) {
    return fn();
  }
  if (isCurrent(turn) && turn_->phase != Turn::Phase::Done) {
    turn_->on_gone = std::move(fn);
  }
}

std::optional<Connection::Spoils> Connection::hijack(std::uint64_t turn, const std::string& head) {
  if (!isCurrent(turn) || turn_->phase != Turn::Phase::Pending) {
    return std::nullopt;
  }
  auto self = shared_from_this();
  out_ += head;
  turn_->phase = Turn::Phase::Done;
  turn_->record.status = head.compare(0, 12, "HTTP/1.1 101") == 0 ? 101 : 200;
  auto done = takeTurn();
  leave();
  return Spoils{.stream = std::move(stream_),
                .early = std::string(input()),
                .unsent = out_.substr(out_offset_)};
}

}  // namespace flotilla::http
