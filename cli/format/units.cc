#include "cli/format/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace flotilla::cli {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

template <std::size_t N>
std::string scaled(double value, double base, int digits, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  while (value >= base && unit + 1 < N) {
    value /= base;
    ++unit;
  }
  return fmt::format("{:.{}g}{}", value, digits, units[unit]);
}

/// "T", "+02:00" and the like after the seconds; false when something else follows.
bool readZone(std::string_view zone, std::int64_t& offset) {
  offset = 0;
  if (zone.empty() || zone == "Z") {
    return true;
  }
  int hours = 0;
  int minutes = 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
      std::from_chars(zone.data() + 1, zone.data() + 3, hours).ec != std::errc{} ||
      std::from_chars(zone.data() + 4, zone.data() + 6, minutes).ec != std::errc{}) {
    return false;
  }
  offset = (hours * kHour + minutes * kMinute) * (zone[0] == '-' ? -1 : 1);
  return true;
}

}  // namespace

std::optional<double> parseSpan(std::string_view text) {
  double total = 0;
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end == text.data() + text.size()) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const double unit = text[0] == 's' ? 1 : text[0] == 'm' ? kMinute : text[0] == 'h' ? kHour : 0;
    if (unit == 0) {
      return std::nullopt;
    }
    total += value * unit;
    text.remove_prefix(1);
  }
  return total;
}

std::string humanDuration(std::int64_t seconds) {
  if (seconds < 1) {
    return "Less than a second";
  }
  if (seconds == 1) {
    return "1 second";
  }
  if (seconds < kMinute) {
    return fmt::format("{} seconds", seconds);
  }
  if (seconds < 2 * kMinute) {
    return "About a minute";
  }
  if (seconds < kHour) {
    return fmt::format("{} minutes", seconds / kMinute);
  }
  const auto hours = std::llround(static_cast<double>(seconds) / kHour);
  if (hours == 1) {
    return "About an hour";
  }
  if (hours < 48) {
    return fmt::format("{} hours", hours);
  }
  if (hours < 24 * 7 * 2) {
    return fmt::format("{} days", hours / 24);
  }
  if (hours < 24 * 30 * 2) {
    return fmt::format("{} weeks", hours / 24 / 7);
  }
  if (hours < 24 * 365 * 2) {
    return fmt::format("{} months", hours / 24 / 30);
  }
  return fmt::format("{} years", seconds / kDay / 365);
}

std::string humanSize(double bytes, int digits) {
  return scaled(bytes, 1000, digits, std::array{"B", "kB", "MB", "GB", "TB", "PB"});
}

std::string binarySize(double bytes) {
  return scaled(bytes, 1024, 4, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::optional<std::int64_t> parseTime(std::string_view text) {
  constexpr std::size_t kSecondsEnd = 19;
  std::tm fields{};
  const std::string copy(text.substr(0, kSecondsEnd));
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &fields);
  if (end == nullptr || *end != '\0') {
    return std::nullopt;
  }
  auto rest = text.substr(kSecondsEnd);
  if (rest.starts_with('.')) {
    rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  }
  std::int64_t offset = 0;
  if (!readZone(rest, offset)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(::timegm(&fields)) - offset;
}

Result<std::string> timeArgument(std::string_view name, std::string_view text, std::int64_t now) {
  if (text.empty()) {
    return std::string();
  }
  double seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed == std::errc{} && end == text.data() + text.size()) {
    return std::string(text);
  }
  if (const auto span = parseSpan(text)) {
    return std::to_string(now - std::llround(*span));
  }
  const std::string dated(text.size() == 10 ? std::string(text) + "T00:00:00Z" : std::string(text));
  if (const auto time = parseTime(dated)) {
    return std::to_string(*time);
  }
  return Error(
      ErrorKind::InvalidArgument,
      fmt::format("invalid value for \"{}\": failed to parse value as time or duration: \"{}\"",
                  name, text));
}

}  // namespace flotilla::cli
