#pragma once

#include <optional>
#include <set>
#include <string_view>

namespace flotilla::model {

/// "0-3,7": the numbers of a cpuset; nullopt when it is none. "" is the empty set.
std::optional<std::set<unsigned>> parseCpuList(std::string_view text);

}  // namespace flotilla::model
