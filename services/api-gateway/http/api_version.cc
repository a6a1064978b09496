#include "api-gateway/http/api_version.h"

#include <array>
#include <charconv>
#include <cstddef>

namespace flotilla::gateway {
namespace {

// Major, minor and whether more than zeros follows: enough to order "1.51.1" after "1.51".
using Parts = std::array<int, 3>;

int parsePart(std::string_view text) {
  int value = 0;
  // Docker reads an unreadable part as 0.
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Parts parseParts(std::string_view text) {
  Parts parts{0, 0, 0};
  for (std::size_t index = 0; !text.empty(); ++index) {
    const std::size_t dot = text.find('.');
    const int value = parsePart(text.substr(0, dot));
    if (index < 2) {
      parts[index] = value;
    } else if (value > 0) {
      parts[2] = 1;
    }
    text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  }
  return parts;
}

constexpr Parts partsOf(ApiVersion version) {
  return {version.major_number, version.minor_number, 0};
}

}  // namespace

bool isOlderThanSupported(std::string_view text) {
  return !text.empty() && parseParts(text) < partsOf(kOldestApiVersion);
}

Result<ApiVersion> negotiateVersion(std::string_view text) {
  if (text.empty()) {
    return kNewestApiVersion;
  }
  const Parts asked = parseParts(text);
  if (asked > partsOf(kNewestApiVersion)) {
    return Error{ErrorKind::InvalidArgument,
                 "client version " + std::string(text) +
                     " is too new. Maximum supported API version is 1.51"};
  }
  if (asked < partsOf(kOldestApiVersion)) {
    return Error{ErrorKind::InvalidArgument,
                 "client version " + std::string(text) +
                     " is too old. Minimum supported API version is 1.24, "
                     "please upgrade your client to a newer version"};
  }
  return ApiVersion{asked[0], asked[1]};
}

}  // namespace flotilla::gateway
