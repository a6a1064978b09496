#include "common/http/connection.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "common/http/exchange_impl.h"

namespace flotilla::http {
namespace {

// A little more than the parser's limit, so that it is the parser that refuses.
constexpr std::size_t kMaxAhead = RequestParser::kHeadLimit + 4096;
constexpr std::size_t kMaxUnsentBehindPipeline = 64 * 1024;
constexpr std::chrono::milliseconds kLinger{1000};

void release(std::string& buffer) {
  if (buffer.empty()) {
    std::string().swap(buffer);
  }
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerContext> server, net::StreamPtr stream,
                       std::string peer)
    : server_(std::move(server)), stream_(std::move(stream)), peer_(std::move(peer)) {}

Connection::~Connection() = default;

void Connection::start() {
  stream_->start([this] { onReadable(); }, [this] { onWritable(); });
}

void Connection::closeWhenIdle() {
  close_when_idle_ = true;
  if (state_ == State::Head && !turn_) {
    linger();
  }
}

void Connection::onReadable() {
  auto self = shared_from_this();
  const std::size_t room = kMaxAhead - std::min(kMaxAhead, input().size());
  if (room == 0) {
    return updateReading();
  }
  std::vector<char>& scratch = server_->scratch;
  Result<std::size_t> n = stream_->read(scratch.data(), std::min(room, scratch.size()));
  if (!n) {
    if (n.error().kind() != ErrorKind::Unavailable) {
      closeNow();
    }
    return;
  }
  if (*n == 0) {
    return inputEnded();
  }
  if (state_ == State::Lingering) {
    return;
  }
  in_.append(scratch.data(), *n);
  if (turn_) {
    turn_->body_starved = false;
  }
  drive();
  notifyBodyReader();
}

void Connection::inputEnded() {
  input_ended_ = true;
  updateReading();
  switch (state_) {
    case State::Head:
      drive();
      break;
    case State::Active:
      clientIsGone();
      drive();
      notifyBodyReader();
      break;
    case State::Lingering:
      if (unsent() == 0) {
        closeNow();
      }
      break;
    case State::Left:
      break;
  }
}

void Connection::clientIsGone() {
  if (state_ != State::Active || turn_->gone) {
    return;
  }
  auto turn = turn_;
  turn->gone = true;
  if (auto fn = std::exchange(turn->on_gone, nullptr)) {
    fn();
  }
  if (auto fn = turn->on_stream_cut) {
    fn();
  }
}

void Connection::consume(std::size_t count) {
  in_offset_ += count;
  if (in_offset_ == in_.size()) {
    in_.clear();
    in_offset_ = 0;
  } else if (in_offset_ > kMaxAhead / 2) {
    in_.erase(0, in_offset_);
    in_offset_ = 0;
  }
}

void Connection::drive() {
  if (driving_) {
    return;  // the loop below is in one of our callers and sees what changed
  }
  auto self = shared_from_this();
  driving_ = true;
  for (bool more = true; more;) {
    more = false;
    if (state_ == State::Head) {
      more = unsent() <= kMaxUnsentBehindPipeline && parseHead();
    } else if (state_ == State::Active) {
      continueCollection();
      more = state_ == State::Active && turn_->phase == Turn::Phase::Done && finishTurn();
    }
  }
  driving_ = false;
  if (state_ == State::Left || !flush()) {
    return;
  }
  if (state_ == State::Lingering && unsent() == 0) {
    return shutOutput();
  }
  updateReading();
  if (state_ == State::Head) {
    release(in_);
    release(out_);
  }
}

bool Connection::parseHead() {
  while (!turn_ && input().substr(0, 2) == "\r\n") {
    consume(2);  // some old clients end a body with a line break too many
  }
  if (input().empty() || (!turn_ && input() == "\r")) {
    if (close_when_idle_ || input_ended_) {
      linger();
    }
    return false;
  }
  if (!turn_) {
    turn_ = std::make_shared<Turn>();
  }
  std::size_t consumed = 0;
  const auto outcome = turn_->parser.parseHead(input(), consumed);
  consume(consumed);
  switch (outcome) {
    case RequestParser::Outcome::Done:
      disarmTimer();
      beginTurn();
      return true;
    case RequestParser::Outcome::Refused:
      refuse(turn_->parser.refusal());
      return false;
    case RequestParser::Outcome::NeedMore:
      break;
  }
  if (input_ended_) {
    turn_.reset();
    linger();
  } else if (timer_ == 0) {
    armTimer(server_->options.header_timeout);
  }
  return false;
}

void Connection::refuse(const RequestParser::Refusal& refusal) {
  const Response response = errorResponse(refusal.status, refusal.message);
  appendHead(out_, response, {.content_length = response.body.size(), .close = true});
  out_ += response.body;
  turn_->record.status = refusal.status;
  turn_->record.request = std::make_shared<const Request>(Request{.peer = peer_});
  takeTurn();
  linger();
}

void Connection::beginTurn() {
  Request request = turn_->parser.takeRequest();
  request.peer = peer_;
  request.id = requestId(*server_, request.headers.get("X-Request-Id"));
  turn_->is_head = request.method == "HEAD";
  turn_->http_1_0 = request.http_1_0;
  turn_->keep_alive = turn_->parser.keepAlive();
  turn_->continue_due = turn_->parser.expectsContinue();
  turn_->record.request = std::make_shared<const Request>(std::move(request));
  state_ = State::Active;
  ++turn_number_;
  ++server_->active;
  try {
    server_->handler(makeExchange(shared_from_this(), turn_number_, turn_->record.request));
  } catch (const std::exception&) {
    // A bug of the handler's: its exchange, dropped unanswered, has told the client and the access
    // log.
  }
}

bool Connection::finishTurn() {
  if (!turn_->parser.bodyDone()) {
    const Pull left = turn_->keep_alive ? drainBody() : Pull::Broken;
    if (left == Pull::Starved) {
      if (timer_ == 0) {
        armTimer(server_->options.body_timeout);
      }
      return false;
    }
    turn_->keep_alive = left == Pull::End;
  }
  disarmTimer();
  const bool close = !takeTurn()->keep_alive;
  if (close) {
    linger();
  }
  return !close;
}

std::shared_ptr<Turn> Connection::takeTurn() {
  auto turn = std::move(turn_);
  turn_.reset();
  if (state_ == State::Active) {
    // Before anything of the turn is destroyed: it may hold streams that then look at us.
    state_ = State::Head;
    --server_->active;
    if (turn->phase == Turn::Phase::Done) {
      completed_turns_ = turn_number_;
    }
  } else if (turn->record.status == 0) {
    return turn;  // not a request yet
  }
  if (server_->options.on_complete) {
    turn->record.took = std::chrono::steady_clock::now() - turn->started;
    server_->options.on_complete(turn->record);
  }
  return turn;
}

void Connection::linger() {
  disarmTimer();
  turn_.reset();
  state_ = State::Lingering;
  in_.clear();
  in_offset_ = 0;
  if (!driving_ && flush() && unsent() == 0) {
    shutOutput();
  }
}

void Connection::shutOutput() {
  if (input_ended_) {
    return closeNow();
  }
  stream_->shutdownWrite();
  updateReading();
  disarmTimer();
  armTimer(kLinger);
}

bool Connection::flush() {
  while (unsent() > 0) {
    Result<std::size_t> n = stream_->write(std::string_view(out_).substr(out_offset_));
    if (!n) {
      closeNow();
      return false;
    }
    out_offset_ += *n;
    if (unsent() > 0) {  // the stream is full and will call onWritable
      out_.erase(0, out_offset_);
      out_offset_ = 0;
      return true;
    }
  }
  out_.clear();
  out_offset_ = 0;
  return true;
}

void Connection::onWritable() {
  auto self = shared_from_this();
  if (!flush() || unsent() > 0) {
    return;
  }
  if (state_ == State::Lingering) {
    return shutOutput();
  }
  if (state_ == State::Active && std::exchange(turn_->room_wanted, false)) {
    if (auto fn = turn_->on_room) {
      fn();
    }
  }
  if (state_ != State::Left) {
    drive();
  }
}

void Connection::updateReading() {
  if (state_ == State::Left) {
    return;
  }
  const bool reading = !input_ended_ && input().size() < kMaxAhead;
  stream_->enableRead(reading);
  // With our buffer full nobody reads, and only the kernel can tell that the client is gone.
  const bool watch = !reading && !input_ended_ && state_ == State::Active && !turn_->gone;
  if (watch != hangup_watched_) {
    hangup_watched_ = watch;
    stream_->onHangup(watch ? std::function<void()>([this] {
      auto self = shared_from_this();
      hangup_watched_ = false;
      clientIsGone();
    })
                            : nullptr);
  }
}

void Connection::armTimer(std::chrono::milliseconds delay) {
  timer_ = reactor().runAfter(delay, [weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->timer_ = 0;
      self->onTimer();
    }
  });
}

void Connection::disarmTimer() {
  if (timer_ != 0) {
    reactor().cancelTimer(std::exchange(timer_, 0));
  }
}

void Connection::onTimer() {
  auto self = shared_from_this();
  switch (state_) {
    case State::Head:
      if (turn_) {
        refuse({408, "the request header did not arrive in time"});
      }
      break;
    case State::Active:
      if (turn_->phase == Turn::Phase::Done) {
        takeTurn();
        linger();
      } else if (turn_->collection) {
        turn_->body_error =
            Error(ErrorKind::InvalidArgument, "the request body did not arrive in time");
        endCollection(*turn_->body_error);
      }
      break;
    case State::Lingering:
      closeNow();
      break;
    case State::Left:
      break;
  }
}

void Connection::leave() {
  auto self = shared_from_this();
  disarmTimer();
  if (turn_) {
    auto turn = takeTurn();
    // Later: whoever made us leave may be in the middle of something that these would disturb.
    reactor().post([turn] {
      if (turn->collection) {
        turn->collection->done(Error(ErrorKind::Unavailable, "the client left"));
      }
      for (const auto& fn : {turn->on_gone, turn->on_stream_cut, turn->on_body, turn->on_room}) {
        if (fn) {
          fn();
        }
      }
    });
  }
  state_ = State::Left;
  server_->connections.erase(self);
  if (server_->stopping && server_->connections.empty()) {
    if (auto drained = std::exchange(server_->drained, nullptr)) {
      reactor().post(std::move(drained));
    }
  }
}

void Connection::closeNow() {
  if (state_ != State::Left) {
    auto self = shared_from_this();
    leave();
    stream_->close();
  }
}

}  // namespace flotilla::http
