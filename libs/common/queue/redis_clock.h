#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>

#include "common/redis/redis_reply.h"

namespace flotilla {

/// Redis' clock as seen from here: lifetimes are counted against it, because the clocks of two
/// hosts differ. Not thread-safe.
class RedisClock {
 public:
  /// The answer to TIME.
  void heard(const RedisReply& reply) {
    if (reply.elements.size() == 2) {
      heard(number(reply.elements[0].text) * 1000 + number(reply.elements[1].text) / 1000);
    }
  }
  /// Redis said it is `redis_ms` now.
  void heard(std::int64_t redis_ms) { offset_ms_ = redis_ms - localMs(); }

  [[nodiscard]] std::int64_t nowMs() const { return localMs() + offset_ms_; }

 private:
  static std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  static std::int64_t localMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::int64_t offset_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count() -
                            localMs();
};

}  // namespace flotilla
