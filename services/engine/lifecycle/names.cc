#include "engine/lifecycle/names.h"

#include <algorithm>
#include <string>

namespace flotilla::engine {
namespace {

bool isWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

Result<std::string> checkContainerName(std::string_view name) {
  std::string_view bare = name;
  if (bare.starts_with('/')) {
    bare.remove_prefix(1);
  }
  const bool valid = bare.size() >= 2 && isWordStart(bare.front()) &&
                     std::all_of(bare.begin(), bare.end(), [](char c) {
                       return isWordStart(c) || c == '_' || c == '.' || c == '-';
                     });
  if (!valid) {
    return Error{ErrorKind::InvalidArgument, "Invalid container name (" + std::string(name) +
                                                 "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"};
  }
  return std::string(bare);
}

}  // namespace flotilla::engine
