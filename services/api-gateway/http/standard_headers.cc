#include "api-gateway/http/standard_headers.h"

#include <array>
#include <string_view>
#include <utility>

#include "api-gateway/http/api_version.h"

namespace flotilla::gateway {
namespace {

// "Docker/... (os)" is what clients parse for the daemon's platform (docker stats, docker build).
constexpr std::string_view kServer = "Docker/" FLO_VERSION " (linux)";

using Field = std::pair<std::string_view, std::string_view>;

constexpr std::array kStandard = {
    Field{"Api-Version", kNewestApiVersionText},
    Field{"Docker-Experimental", "false"},
    Field{"Ostype", "linux"},
    Field{"Server", kServer},
};

http::Headers standardHeaders() {
  http::Headers headers;
  for (const auto& [name, value] : kStandard) {
    headers.add(name, value);
  }
  return headers;
}

}  // namespace

void addStandardHeaders(http::Headers& headers) {
  static const http::Headers kHeaders = standardHeaders();
  headers.add(kHeaders);
}

std::string standardHeaderLines() {
  std::string lines;
  for (const auto& [name, value] : kStandard) {
    lines.append(name).append(": ").append(value).append("\r\n");
  }
  return lines;
}

}  // namespace flotilla::gateway
