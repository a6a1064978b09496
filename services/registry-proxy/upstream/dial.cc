#include "registry-proxy/upstream/dial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "common/os/unique_fd.h"

namespace flotilla::registry {
namespace {

struct Network {
  int family = AF_INET;
  std::array<unsigned char, 16> bytes{};
  unsigned prefix = 0;
};

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses lookUp(const Url& url, int& failed) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(url.port);
  failed = ::getaddrinfo(url.host.c_str(), port.c_str(), &hints, &found);
  return {failed == 0 ? found : nullptr, &::freeaddrinfo};
}

std::string numeric(const addrinfo& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const bool six = address.ai_family == AF_INET6;
  return (six ? "[" : "") + std::string(host.data()) + (six ? "]:" : ":") + port.data();
}

/// errno of connecting, 0 when it worked.
int tryConnect(const addrinfo& address, std::chrono::milliseconds timeout) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return errno;
  }
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) {
    return 0;
  }
  if (errno != EINPROGRESS) {
    return errno;
  }
  pollfd waiting{fd.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) <= 0) {
    return ETIMEDOUT;
  }
  int failed = 0;
  socklen_t size = sizeof failed;
  (void)::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
  return failed;
}

std::string goText(int err) {
  std::string text = std::generic_category().message(err);
  for (char& c : text) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

std::optional<Network> parseNetwork(std::string_view text) {
  Network network;
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  network.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const unsigned most = network.family == AF_INET ? 32 : 128;
  network.prefix = most;
  if (::inet_pton(network.family, address.c_str(), network.bytes.data()) != 1) {
    return std::nullopt;
  }
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, failed] =
        std::from_chars(digits.data(), digits.data() + digits.size(), network.prefix);
    if (failed != std::errc{} || end != digits.data() + digits.size() || network.prefix > most) {
      return std::nullopt;
    }
  }
  return network;
}

bool contains(const Network& network, const addrinfo& address) {
  if (address.ai_family != network.family) {
    return false;
  }
  std::array<unsigned char, 16> bytes{};
  if (network.family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address.ai_addr, sizeof in);
    std::memcpy(bytes.data(), &in.sin_addr, sizeof in.sin_addr);
  } else {
    sockaddr_in6 in{};
    std::memcpy(&in, address.ai_addr, sizeof in);
    std::memcpy(bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
  }
  for (unsigned bit = 0; bit < network.prefix; ++bit) {
    const unsigned char mask = static_cast<unsigned char>(0x80U >> (bit % 8));
    if (((bytes[bit / 8] ^ network.bytes[bit / 8]) & mask) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string dialFailure(const Url& url, std::chrono::milliseconds timeout) {
  int failed = 0;
  const Addresses found = lookUp(url, failed);
  if (failed != 0) {
    return "dial tcp: lookup " + url.host + ": " +
           (failed == EAI_NONAME ? "no such host" : std::string(::gai_strerror(failed)));
  }
  std::string why;
  for (const addrinfo* at = found.get(); at != nullptr; at = at->ai_next) {
    const int err = tryConnect(*at, timeout);
    if (err == 0) {
      return "";
    }
    // As Go: the first address' failure is the one to tell, but IPv4's where both families failed.
    if (why.empty() || at->ai_family == AF_INET) {
      why = err == ETIMEDOUT ? "dial tcp " + numeric(*at) + ": i/o timeout"
                             : "dial tcp " + numeric(*at) + ": connect: " + goText(err);
    }
  }
  return why;
}

bool isInsecure(const Url& url, const std::vector<std::string>& insecure) {
  std::vector<Network> networks = {*parseNetwork("127.0.0.0/8"), *parseNetwork("::1/128")};
  for (const std::string& entry : insecure) {
    if (entry == url.host || entry == url.authority()) {
      return true;
    }
    if (auto network = parseNetwork(entry)) {
      networks.push_back(*network);
    }
  }
  int failed = 0;
  const Addresses found = lookUp(url, failed);
  for (const addrinfo* at = found.get(); at != nullptr; at = at->ai_next) {
    for (const Network& network : networks) {
      if (contains(network, *at)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace flotilla::registry
