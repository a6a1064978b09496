#include "engine/stats/stats_follower.h"

#include <algorithm>
#include <utility>

#include "common/net/read_only.h"

namespace flotilla::engine {

void StatsFollower::start(net::StreamPtr stream, std::function<void()> done) {
  stream_ = std::move(stream);
  done_ = std::move(done);
  const auto self = shared_from_this();
  stream_->start(
      [self] {
        if (net::readerHasEnded(*self->stream_)) {
          self->finish();
        }
      },
      [self] { self->flush(); });
  due_ = Reactor::Clock::now();
  lookNow();
}

void StatsFollower::cancel() {
  reactor_.post([self = shared_from_this()] { self->finish(); });
}

void StatsFollower::lookNow() {
  timer_ = 0;
  const auto self = shared_from_this();
  const bool posted = pool_.post([self] {
    self->reactor_.post(
        [self, look = self->options_.look()]() mutable { self->looked(std::move(look)); });
  });
  // A busy engine skips a document rather than the stream.
  due_ = std::max(due_ + options_.interval, Reactor::Clock::now());
  if (!posted) {
    timer_ = reactor_.runAfter(due_ - Reactor::Clock::now(), [self] { self->lookNow(); });
  }
}

void StatsFollower::looked(std::optional<StatsLook> look) {
  if (finished_) {
    return;
  }
  if (!look) {
    finish();
    return;
  }
  const bool shown = options_.mode != Mode::Single || compared_ || !look->sample.usage;
  if (shown && sent_ == out_.size()) {
    const bool nameless = options_.mode == Mode::OneShot && look->sample.usage;
    out_ = statsDocument(nameless ? std::nullopt : std::optional(std::move(look->subject)),
                         look->sample, previous_);
    sent_ = 0;
  }
  last_ = shown && options_.mode != Mode::Stream;
  compared_ = true;
  previous_ = std::move(look->sample);
  flush();
  if (!finished_ && !last_) {
    const auto wait = std::max(due_ - Reactor::Clock::now(), Reactor::Clock::duration::zero());
    timer_ = reactor_.runAfter(wait, [self = shared_from_this()] { self->lookNow(); });
  }
}

void StatsFollower::flush() {
  while (!finished_ && sent_ < out_.size()) {
    const auto wrote = stream_->write(std::string_view(out_).substr(sent_));
    if (!wrote) {
      finish();
      return;
    }
    sent_ += *wrote;
    if (sent_ < out_.size()) {
      return;  // on_writable goes on
    }
  }
  if (last_) {
    finish();
  }
}

void StatsFollower::finish() {
  if (std::exchange(finished_, true) || stream_ == nullptr) {
    return;
  }
  reactor_.cancelTimer(timer_);
  std::exchange(done_, nullptr)();
  stream_->shutdownWrite();
  // The stream holds callbacks that hold this: it goes once they cannot run any more.
  reactor_.post([self = shared_from_this()] {
    self->stream_->close();
    self->stream_.reset();
  });
}

}  // namespace flotilla::engine
