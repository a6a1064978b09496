#include "engine/jobs/event_follower.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/net/read_only.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

void EventFollower::start(net::StreamPtr stream, Done done) {
  stream_ = std::move(stream);
  done_ = std::move(done);
  const auto self = shared_from_this();
  stream_->start(
      [self] {
        if (net::readerHasEnded(*self->stream_)) {
          self->finish();
        }
      },
      [self] { self->pump(); });
  subscription_ = events_.subscribe([weak = weak_from_this(), &reactor = reactor_] {
    reactor.post([weak] {
      if (const auto follower = weak.lock()) {
        follower->pump();
      }
    });
  });
  if (range_.until_ns) {
    const auto left =
        std::chrono::nanoseconds(std::max<std::int64_t>(0, *range_.until_ns - range_.now_ns));
    timer_ = reactor_.runAfter(std::chrono::duration_cast<Reactor::Clock::duration>(left), [self] {
      self->past_until_ = true;
      self->pump();
    });
    past_until_ = left.count() == 0;
  }
  pump();
}

void EventFollower::cancel() {
  reactor_.post([self = shared_from_this()] { self->finish(); });
}

void EventFollower::pump() {
  while (!finished_ && flush()) {
    if (!fill()) {
      if (past_until_) {
        finish();
      }
      return;
    }
  }
}

/// True when everything was taken.
bool EventFollower::flush() {
  while (sent_ < out_.size()) {
    const auto wrote = stream_->write(std::string_view(out_).substr(sent_));
    if (!wrote) {
      finish();
      return false;
    }
    sent_ += *wrote;
    if (sent_ < out_.size()) {
      return false;  // on_writable goes on
    }
  }
  out_.clear();
  sent_ = 0;
  return true;
}

/// False when there is nothing more for now.
bool EventFollower::fill() {
  const auto batch = events_.after(range_.position, kBatch);
  if (!batch) {
    finish(Error(batch.error()).context("cannot read events"));
    return false;
  }
  for (const Event& event : *batch) {
    range_.position = event.seq;
    if (range_.until_ns && event.time_ns > *range_.until_ns) {
      past_until_ = true;
      return !out_.empty();
    }
    if (filter_.matches(event)) {
      out_ += eventJson(event);
    }
  }
  return !batch->empty();
}

void EventFollower::finish(Result<void> how) {
  if (std::exchange(finished_, true)) {
    return;
  }
  events_.unsubscribe(subscription_);
  if (timer_ != 0) {
    reactor_.cancelTimer(timer_);
  }
  std::exchange(done_, nullptr)(std::move(how));
  stream_->shutdownWrite();
  // The stream holds callbacks that hold this: it goes once they cannot run any more.
  reactor_.post([self = shared_from_this()] {
    self->stream_->close();
    self->stream_.reset();
  });
}

}  // namespace flotilla::engine
