#include <charconv>
#include <optional>

#include "common/discovery/discovery.h"

namespace flotilla {
namespace {

constexpr std::size_t kMaxEntries = 65536;

std::optional<long> number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

Error badEntry(std::string_view entry, std::string_view why) {
  return Error{ErrorKind::InvalidArgument,
               "invalid discovery entry \"" + std::string(entry) + "\": " + std::string(why)};
}

}  // namespace

Result<DiscoveryEntries> expandPattern(std::string_view pattern) {
  // Greedy as the original: from the first '[' to the last ']', split at the last ':' between.
  const auto open = pattern.find('[');
  const auto close = pattern.rfind(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return DiscoveryEntries{std::string(pattern)};
  }
  const auto range = pattern.substr(open + 1, close - open - 1);
  const auto colon = range.rfind(':');
  if (colon == std::string_view::npos) {
    return DiscoveryEntries{std::string(pattern)};
  }
  const auto first = number(range.substr(0, colon));
  const auto last = number(range.substr(colon + 1));
  if (!first || !last) {
    return DiscoveryEntries{std::string(pattern)};
  }
  if (*last >= *first &&
      static_cast<unsigned long>(*last) - static_cast<unsigned long>(*first) >= kMaxEntries) {
    return badEntry(pattern, "the range has more than 65536 entries");
  }
  DiscoveryEntries entries;
  for (long i = *first; i <= *last; ++i) {
    std::string entry(pattern.substr(0, open));
    entry += std::to_string(i);
    entry += pattern.substr(close + 1);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<void> checkEntry(std::string_view entry) {
  const auto colon = entry.rfind(':');
  if (colon == std::string_view::npos) {
    return badEntry(entry, "missing port in address");
  }
  const auto host = entry.substr(0, colon);
  const auto port = number(entry.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) {
    return badEntry(entry, "the port must be a number from 1 to 65535");
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) {
    return badEntry(entry, "too many colons in address; write IPv6 addresses in brackets");
  }
  return {};
}

}  // namespace flotilla
