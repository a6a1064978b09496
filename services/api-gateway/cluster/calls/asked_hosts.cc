#include "api-gateway/cluster/calls/asked_hosts.h"

namespace flotilla::gateway {
namespace {

std::string reasonOf(const Host& host) {
  return host.error.empty() ? "it was not heard of yet" : host.error;
}

/// " (node-1: why, node-2: why)"
std::string inBrackets(const std::vector<std::string>& reasons) {
  std::string text;
  for (const std::string& reason : reasons) {
    text += (text.empty() ? " (" : ", ") + reason;
  }
  return text.empty() ? "" : text + ")";
}

}  // namespace

AskedHosts::AskedHosts(const std::vector<HostPtr>& hosts) {
  for (const HostPtr& host : hosts) {
    if (host->healthy()) {
      healthy.push_back(host);
    } else {
      absent.push_back(host->name() + ": " + reasonOf(*host));
    }
  }
}

Error unlessAbsent(Error error, const std::vector<std::string>& absent) {
  if (absent.empty() || error.kind() != ErrorKind::NotFound) {
    return error;
  }
  return Error{ErrorKind::Unavailable,
               error.message() + " on the nodes that answered" + inBrackets(absent)};
}

Error nobodyHealthy(const std::vector<std::string>& absent) {
  return Error{ErrorKind::Unavailable,
               "No healthy node available in the cluster" + inBrackets(absent)};
}

}  // namespace flotilla::gateway
