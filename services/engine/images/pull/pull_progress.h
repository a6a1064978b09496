#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/os/mutex.h"
#include "engine/images/image_stream.h"

namespace flotilla::engine {

/// The lines of a pull, as dockerd prints them, from any thread. A client that is gone is found out
/// by the stream's cancellation, not here.
class PullProgress {
 public:
  explicit PullProgress(ImageStream& stream) : stream_(stream) {}

  /// {"status","id"}
  void header(std::string_view status, std::string_view id);
  /// {"status"}
  void line(std::string_view status);
  /// {"status","progressDetail":{},"id"}: a step of a layer.
  void step(std::string_view status, const std::string& id);
  /// A step with its bar.
  void bar(std::string_view status, const std::string& id, std::uint64_t current,
           std::uint64_t total);

 private:
  void write(const std::string& text);

  Mutex mutex_;
  ImageStream& stream_ FLO_GUARDED_BY(mutex_);
};

/// Lets a bar through when enough time has passed since the last one.
class BarPacer {
 public:
  bool due() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(100)) {
      return false;
    }
    last_ = now;
    return true;
  }

 private:
  std::chrono::steady_clock::time_point last_;
};

}  // namespace flotilla::engine
