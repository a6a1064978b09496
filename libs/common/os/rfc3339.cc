#include "common/os/rfc3339.h"

#include <array>
#include <ctime>

namespace flotilla {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string calendar(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return {text.data(), size};
}

}  // namespace

std::string rfc3339(std::int64_t nanoseconds) {
  std::int64_t seconds = nanoseconds / kSecond;
  std::int64_t fraction = nanoseconds % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  auto text = calendar(seconds);
  if (fraction != 0) {
    auto digits = std::to_string(kSecond + fraction).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "Z";
}

std::string rfc3339Seconds(std::int64_t seconds) { return calendar(seconds) + "Z"; }

std::int64_t wallClockNanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace flotilla
