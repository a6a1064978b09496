#include "common/stream/relay.h"

#include <algorithm>
#include <utility>

#include "common/stream/relay_pump.h"

namespace flotilla {
namespace {

/// Two pumps and what their ends mean for each other. Kept alive by the streams' callbacks, which
/// finish() takes away.
class Relay final : public RunningRelay, public std::enable_shared_from_this<Relay> {
 public:
  using Side = RelayFailure::Side;

  Relay(net::StreamPtr left, net::StreamPtr right, RelayEnd end, RelayDone done)
      : left_(std::move(left)),
        right_(std::move(right)),
        end_(end),
        done_(std::move(done)),
        to_right_(*left_, *right_),
        to_left_(*right_, *left_) {}

  void start() {
    auto self = shared_from_this();
    left_->start([self] { self->run(self->to_right_); }, [self] { self->run(self->to_left_); });
    if (!finished_) {
      right_->start([self] { self->run(self->to_left_); }, [self] { self->run(self->to_right_); });
    }
  }

  void cut(const Error& why) override {
    if (!finished_) {
      finish(RelayFailure{Side::Left, why});
    }
  }

 private:
  void run(RelayPump& pump) {
    if (finished_ || pump.ended()) {
      return;
    }
    auto self = shared_from_this();
    pump.run();
    if (pump.error()) {
      return finish(RelayFailure{&pump == &to_left_ ? Side::Right : Side::Left, *pump.error()});
    }
    if (!pump.ended()) {
      return;
    }
    if (to_left_.refused()) {
      return finish(RelayFailure{Side::Left, *to_left_.refused()});  // nobody to work for
    }
    bool done = to_left_.ended() && (end_ != RelayEnd::BothSides || to_right_.ended());
    if (done) {
      return finish({});
    }
    pump.halfClose();
    if (&pump == &to_right_) {
      // The client may have closed altogether, and a silent right side would never show it.
      left_->onGone([self] {
        self->finish(RelayFailure{
            Side::Left, Error(ErrorKind::Unavailable, "the client closed the connection")});
      });
    }
  }

  void finish(const std::optional<RelayFailure>& failure) {
    finished_ = true;
    auto self = shared_from_this();
    // What the client sees must tell a cut stream from a complete one.
    if (end_ == RelayEnd::RightSide) {
      left_->enableRead(false);  // our callbacks stay until `done` ends it, and do nothing
      left_->onGone(nullptr);
    } else {
      failure ? left_->abort() : left_->close();
    }
    failure ? right_->abort() : right_->close();
    if (done_) {
      std::exchange(done_, nullptr)(failure);
    }
  }

  net::StreamPtr left_;
  net::StreamPtr right_;
  RelayEnd end_;
  RelayDone done_;
  RelayPump to_right_;
  RelayPump to_left_;
  bool finished_ = false;
};

}  // namespace

std::weak_ptr<RunningRelay> relay(Reactor& /*reactor*/, net::StreamPtr left, net::StreamPtr right,
                                  RelayEnd end, RelayDone done) {
  const auto made =
      std::make_shared<Relay>(std::move(left), std::move(right), end, std::move(done));
  made->start();
  return made;
}

void RelayGroup::add(std::weak_ptr<RunningRelay> relay) {
  if (relays_.size() >= sweep_at_) {
    std::erase_if(relays_, [](const auto& known) { return known.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * relays_.size());
  }
  relays_.push_back(std::move(relay));
}

void RelayGroup::cut(const Error& why) {
  for (const auto& known : std::exchange(relays_, {})) {
    if (const auto running = known.lock()) {
      running->cut(why);
    }
  }
}

}  // namespace flotilla
