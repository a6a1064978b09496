#include <utility>

#include "common/http/connection.h"

namespace flotilla::http {
namespace {

constexpr std::size_t kAheadOfBody = 64 * 1024;  // no honest chunk header or trailer is longer

Error clientLeft(ErrorKind kind) { return {kind, "the client left"}; }

}  // namespace

Connection::Pull Connection::pullBody(char* buffer, std::size_t size, std::size_t& produced) {
  produced = 0;
  Turn& turn = *turn_;
  if (turn.body_error) {
    return Pull::Broken;
  }
  if (turn.parser.bodyDone()) {
    return Pull::End;
  }
  Result<RequestParser::Piece> piece = turn.parser.parseBody(input(), buffer, size);
  if (!piece) {
    turn.body_error = std::move(piece).error();
    return Pull::Broken;
  }
  consume(piece->consumed);
  produced = piece->produced;
  if (produced > 0) {
    return Pull::Bytes;
  }
  if (turn.parser.bodyDone()) {
    return Pull::End;
  }
  if (input_ended_) {
    turn.body_error = clientLeft(ErrorKind::Internal);
    return Pull::Broken;
  }
  if (input().size() >= kAheadOfBody) {
    turn.body_error =
        Error(ErrorKind::InvalidArgument, "malformed request body: chunk header too long");
    return Pull::Broken;
  }
  turn.body_starved = true;
  return Pull::Starved;
}

void Connection::collectBody(std::uint64_t turn, std::size_t limit,
                             std::function<void(Result<std::string>)> done) {
  if (!isCurrent(turn)) {
    return done(clientLeft(ErrorKind::Unavailable));
  }
  if (turn_->body_taken) {
    return done(Error(ErrorKind::Internal, "the request body was taken before"));
  }
  turn_->body_taken = true;
  const auto remaining = turn_->parser.bodyRemaining();
  if (remaining && *remaining > limit) {
    return done(Error(ErrorKind::InvalidArgument,
                      "request body is larger than " + std::to_string(limit) + " bytes"));
  }
  turn_->collection = Turn::Collection{.limit = limit, .done = std::move(done)};
  sendContinue();
  drive();
}

void Connection::continueCollection() {
  while (state_ == State::Active && turn_->collection) {
    std::size_t produced = 0;
    std::vector<char>& scratch = server_->scratch;
    switch (pullBody(scratch.data(), scratch.size(), produced)) {
      case Pull::Bytes:
        disarmTimer();
        turn_->collection->bytes.append(scratch.data(), produced);
        if (turn_->collection->bytes.size() > turn_->collection->limit) {
          endCollection(Error(ErrorKind::InvalidArgument,
                              "request body is larger than " +
                                  std::to_string(turn_->collection->limit) + " bytes"));
        }
        break;
      case Pull::Starved:
        if (timer_ == 0) {
          armTimer(server_->options.body_timeout);
        }
        return;
      case Pull::End:
        endCollection(std::move(turn_->collection->bytes));
        break;
      case Pull::Broken:
        endCollection(input_ended_ ? clientLeft(ErrorKind::Unavailable) : *turn_->body_error);
        break;
    }
  }
}

void Connection::endCollection(Result<std::string> result) {
  disarmTimer();
  auto done = std::move(turn_->collection->done);
  turn_->collection.reset();
  done(std::move(result));
}

Connection::Pull Connection::drainBody() {
  std::vector<char>& scratch = server_->scratch;
  for (;;) {
    std::size_t produced = 0;
    const Pull pulled = pullBody(scratch.data(), scratch.size(), produced);
    turn_->drained += produced;
    if (turn_->drained > kMaxDrained) {
      return Pull::Broken;
    }
    if (pulled != Pull::Bytes) {
      return pulled;
    }
  }
}

bool Connection::takeBody(std::uint64_t turn) {
  if (!isCurrent(turn) || turn_->body_taken || turn_->parser.bodyDone()) {
    return false;
  }
  turn_->body_taken = true;
  return true;
}

void Connection::setBodyReader(std::uint64_t turn, std::function<void()> on_readable) {
  if (!isCurrent(turn)) {
    if (on_readable) {
      reactor().post(std::move(on_readable));  // to find out that the client is gone
    }
    return;
  }
  const auto old = std::exchange(turn_->on_body,
                                 std::move(on_readable));  // ends last, as it may hold its stream
  enableBodyReader(turn, turn_->on_body != nullptr);
}

void Connection::enableBodyReader(std::uint64_t turn, bool enabled) {
  if (!isCurrent(turn)) {
    return;
  }
  turn_->body_reading = enabled;
  if (!enabled) {
    return;
  }
  sendContinue();
  if (bodyReadable() && !std::exchange(body_notice_posted_, true)) {
    reactor().post([weak = weak_from_this()] {
      if (auto self = weak.lock()) {
        self->body_notice_posted_ = false;
        self->notifyBodyReader();
      }
    });
  }
}

bool Connection::bodyReadable() const {
  const Turn& turn = *turn_;
  return turn.body_error || input_ended_ || turn.parser.bodyDone() ||
         (!turn.body_starved && !input().empty());
}

void Connection::notifyBodyReader() {
  if (state_ != State::Active || !turn_->on_body || !turn_->body_reading || !bodyReadable()) {
    return;
  }
  const std::uint64_t number = turn_number_;
  auto reader = turn_->on_body;  // it may replace itself
  reader();
  if (isCurrent(number)) {
    enableBodyReader(number, turn_->body_reading);  // level-triggered: again while something waits
  }
}

Result<std::size_t> Connection::readBody(std::uint64_t turn, char* buffer, std::size_t size) {
  if (!isCurrent(turn) || turn_->phase == Turn::Phase::Done) {
    return clientLeft(ErrorKind::Internal);
  }
  sendContinue();
  std::size_t produced = 0;
  const Pull pulled = pullBody(buffer, size, produced);
  updateReading();
  switch (pulled) {
    case Pull::Bytes:
    case Pull::End:
      return produced;
    case Pull::Starved:
      return Error(ErrorKind::Unavailable, "nothing to read");
    case Pull::Broken:
      break;
  }
  return *turn_->body_error;
}

void Connection::sendContinue() {
  if (!std::exchange(turn_->continue_due, false) || turn_->phase != Turn::Phase::Pending) {
    return;
  }
  out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  if (!driving_) {
    // Later, as a failure would end the turn under the caller's feet.
    reactor().post([weak = weak_from_this()] {
      if (auto self = weak.lock(); self && self->state_ != State::Left) {
        self->flush();
      }
    });
  }
}

}  // namespace flotilla::http
