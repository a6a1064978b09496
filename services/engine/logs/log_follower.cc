#include "engine/logs/log_follower.h"

#include <algorithm>

#include "common/net/read_only.h"
#include "common/os/rfc3339.h"

namespace flotilla::engine {
namespace {

constexpr int kSlicesPerTurn = 8;  // then others on the loop get theirs

}  // namespace

LogFollower::LogFollower(Reactor& reactor, LogWatch* watch, std::string path, LogReader reader,
                         LogOptions options)
    : reactor_(reactor),
      watch_(watch),
      path_(std::move(path)),
      reader_(std::move(reader)),
      options_(options) {}

std::shared_ptr<LogFollower> LogFollower::create(Reactor& reactor, LogWatch* watch,
                                                 std::string path, LogReader reader,
                                                 LogOptions options) {
  return std::shared_ptr<LogFollower>(
      new LogFollower(reactor, watch, std::move(path), std::move(reader), options));
}

void LogFollower::start(net::StreamPtr stream, Done done) {
  stream_ = std::move(stream);
  done_ = std::move(done);
  if (finished_) {  // cancelled before the client came
    finished_ = false;
    finish(Error(ErrorKind::Unavailable, "cancelled"));
    return;
  }
  auto self = shared_from_this();
  stream_->start(
      [self] {  // nobody has anything to say to a log: an end of input only stops our listening
        if (net::readerHasEnded(*self->stream_)) {
          self->stream_->enableRead(false);
        }
      },
      [self] {
        self->blocked_ = false;
        self->pump();
      });
  if (options_.follow && !ended_) {
    auto subscription = watch_->subscribe(path_, [self] { self->pumpLater(); });
    if (!subscription) {
      finish(subscription.error());
      return;
    }
    subscription_ = *subscription;
    if (options_.until_ns) {
      const std::int64_t wait =
          std::max<std::int64_t>(*options_.until_ns - wallClockNanoseconds(), 0);
      until_timer_ = reactor_.runAfter(std::chrono::nanoseconds(wait), [self] {
        self->until_timer_ = 0;
        self->ended_ = true;
        self->pump();
      });
    }
  }
  pump();
}

void LogFollower::containerEnded() {
  reactor_.post([self = shared_from_this()] {
    self->ended_ = true;
    self->pump();
  });
}

void LogFollower::cancel() {
  reactor_.post([self = shared_from_this()] {
    if (self->stream_ == nullptr) {
      self->finished_ = true;  // start() tells
      return;
    }
    self->finish(Error(ErrorKind::Unavailable, "cancelled"));
  });
}

void LogFollower::pumpLater() {
  if (!posted_ && !finished_) {
    posted_ = true;
    reactor_.post([self = shared_from_this()] {
      self->posted_ = false;
      self->pump();
    });
  }
}

bool LogFollower::flush() {
  while (sent_ < out_.size()) {
    auto wrote = stream_->write(std::string_view(out_).substr(sent_));
    if (!wrote) {
      finish(wrote.error());
      return false;
    }
    sent_ += *wrote;
    if (sent_ < out_.size()) {
      blocked_ = true;
      return false;
    }
  }
  out_.clear();
  sent_ = 0;
  return true;
}

void LogFollower::pump() {
  for (int slice = 0; slice < kSlicesPerTurn; ++slice) {
    if (finished_ || blocked_ || stream_ == nullptr || !flush()) {
      return;
    }
    // Seen before the read: what was written before the end was announced is then read, too.
    last_look_ = ended_ || !options_.follow;
    const auto state = reader_.read(out_);
    if (!state) {
      finish(state.error());
      return;
    }
    if (*state != LogReader::State::More) {
      if (flush()) {
        last_look_ |= *state == LogReader::State::Finished;
        caughtUp();
      } else if (!finished_ && *state == LogReader::State::Finished) {
        ended_ = true;
      }
      return;
    }
  }
  pumpLater();
}

void LogFollower::caughtUp() {
  if (last_look_) {
    finish({});
  } else if (ended_) {
    pumpLater();
  }
}

void LogFollower::finish(Result<void> result) {
  if (std::exchange(finished_, true)) {
    return;
  }
  if (subscription_ != 0) {
    watch_->unsubscribe(subscription_);
  }
  reactor_.cancelTimer(until_timer_);
  const auto self = shared_from_this();  // what holds us may go with `done`
  const bool whole = result.has_value();
  if (const Done done = std::exchange(done_, nullptr)) {
    done(std::move(result));
  }
  if (whole) {
    stream_->shutdownWrite();
    stream_->close();
  } else {
    stream_->abort();
  }
  // The stream's callbacks hold this object: let go of them from outside of any of them.
  reactor_.post([self] { self->stream_ = nullptr; });
}

}  // namespace flotilla::engine
