#pragma once

#include <memory>
#include <utility>

namespace flotilla {

/// Makes callbacks harmless that outlive whom they serve: one wrapped here runs only while the
/// owner lives and is not closed, and keeps it alive meanwhile. So the parts of an owner may
/// capture plain `this`. Wrapping: any thread; all else, and the callbacks, on the reactor's
/// thread.
class CallbackGuard {
 public:
  /// Callbacks do nothing before.
  void belongTo(std::weak_ptr<const void> owner) { state_->owner = std::move(owner); }
  void close() { state_->closed = true; }

  template <class Callback>
  [[nodiscard]] auto operator()(Callback callback) const {
    return [state = state_, callback = std::move(callback)](auto&&... arguments) {
      const auto owner = state->owner.lock();
      if (owner && !state->closed) {
        callback(std::forward<decltype(arguments)>(arguments)...);
      }
    };
  }

 private:
  struct State {
    std::weak_ptr<const void> owner;
    bool closed = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();  // shared with the callbacks
};

}  // namespace flotilla
