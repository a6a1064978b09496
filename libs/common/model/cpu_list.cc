#include "common/model/cpu_list.h"

#include <algorithm>
#include <charconv>

namespace flotilla::model {
namespace {

constexpr unsigned kMaxCpu = 8192;

std::optional<unsigned> cpuNumber(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
      value >= kMaxCpu) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<std::set<unsigned>> parseCpuList(std::string_view text) {
  std::set<unsigned> cpus;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto first = cpuNumber(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : cpuNumber(item.substr(dash + 1));
    if (!first || !last || *last < *first || comma + 1 == text.size()) {
      return std::nullopt;
    }
    for (unsigned cpu = *first; cpu <= *last; ++cpu) {
      cpus.insert(cpu);
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return cpus;
}

}  // namespace flotilla::model
