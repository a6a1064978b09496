#include "api-gateway/http/origin_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace flotilla::gateway {
namespace {

/// "[::1]:2375" -> "::1", "localhost:2375" -> "localhost".
std::string hostName(std::string_view header) {
  if (header.starts_with('[')) {
    return std::string(header.substr(1, header.find(']') - 1));
  }
  return std::string(header.substr(0, header.find(':')));
}

bool isAddress(const std::string& host) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

bool isLoopbackName(std::string host) {
  std::ranges::transform(host, host.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host == "localhost" || host.ends_with(".localhost");
}

}  // namespace

Result<void> checkOrigin(const http::Request& request, Exposure exposure,
                         const std::string& allowed_origin) {
  if (exposure == Exposure::Guarded) {
    return {};
  }
  const std::string_view host_header = request.headers.get("Host");
  const std::string host = hostName(host_header);
  if (!isAddress(host) && !isLoopbackName(host)) {
    return Error{ErrorKind::PermissionDenied,
                 "Host \"" + std::string(host_header) +
                     "\" is not allowed on tcp without TLS: use localhost or an address"};
  }
  const std::string_view origin = request.headers.get("Origin");
  if (!origin.empty() && allowed_origin != "*" && origin != allowed_origin) {
    return Error{ErrorKind::PermissionDenied,
                 "Origin \"" + std::string(origin) + "\" is not allowed (--api-cors-header)"};
  }
  return {};
}

}  // namespace flotilla::gateway
