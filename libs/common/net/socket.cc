#include "common/net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace flotilla::net {
namespace {

enum class Names { Resolve, LiteralsOnly };

struct AddrinfoDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddrinfoList = std::unique_ptr<addrinfo, AddrinfoDeleter>;

template <class To>
const sockaddr* generic(const To& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

template <class To>
sockaddr* generic(To& address) {
  return reinterpret_cast<sockaddr*>(&address);
}

sockaddr_un unixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);  // its length was checked by parse()
  return address;
}

/// The name of a socket to connect to. Names end at 107 bytes: a longer path is reached through an
/// open descriptor of its folder.
struct PeerName {
  sockaddr_un address{};
  UniqueFd folder;  // open until connect() has returned
};

Result<PeerName> peerName(const std::string& path) {
  PeerName name;
  std::string shown = path;
  if (path.size() >= sizeof name.address.sun_path) {
    const std::size_t slash = path.rfind('/');
    name.folder.reset(::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!name.folder) {
      return sysError("open the folder of " + path, errno).as(ErrorKind::Unavailable);
    }
    shown = "/proc/self/fd/" + std::to_string(name.folder.get()) + path.substr(slash);
  }
  if (shown.size() >= sizeof name.address.sun_path) {
    return Error(ErrorKind::InvalidArgument, "the name of socket " + path + " is too long");
  }
  name.address = unixAddress(shown);
  return name;
}

UniqueFd makeSocket(int family, int extra_flags) {
  return UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | extra_flags, 0));
}

Result<AddrinfoList> resolve(const Address& address, Names names) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  std::string host = address.host;
  if (host == "localhost") {
    host = "127.0.0.1";  // as Docker's defaults mean it, and without a look into resolver files
  }
  if (names == Names::LiteralsOnly) {
    hints.ai_flags |= AI_NUMERICHOST;
  }
  addrinfo* list = nullptr;
  int rc = ::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (rc != 0) {
    return Error(ErrorKind::InvalidArgument, address.toString() + ": " + ::gai_strerror(rc));
  }
  return AddrinfoList(list);
}

bool someoneServes(const std::string& path) {
  UniqueFd probe = makeSocket(AF_UNIX, SOCK_NONBLOCK);
  sockaddr_un address = unixAddress(path);
  // EAGAIN: its queue is full, so somebody has it.
  return ::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN;
}

Result<void> removeStaleSocket(const Address& address) {
  struct stat st {};
  if (::lstat(address.path.c_str(), &st) != 0) {
    return {};  // bind tells what is wrong with the path, if anything
  }
  if (!S_ISSOCK(st.st_mode)) {
    return Error(ErrorKind::Conflict,
                 "listen on " + address.toString() + ": the file is not a socket");
  }
  if (someoneServes(address.path)) {
    return Error(ErrorKind::Conflict,
                 "listen on " + address.toString() + ": address already in use");
  }
  if (::unlink(address.path.c_str()) != 0 && errno != ENOENT) {
    return sysError("remove stale socket " + address.path, errno);
  }
  return {};
}

Result<UniqueFd> listenUnix(const Address& address, const ListenOptions& options) {
  FLO_TRY(removeStaleSocket(address));
  UniqueFd fd = makeSocket(AF_UNIX, SOCK_NONBLOCK);
  if (!fd) {
    return sysError("create socket", errno);
  }
  const std::string doing = "listen on " + address.toString();
  // bind() gives the file the socket's own mode (less the umask): closed until the group is right.
  if (::fchmod(fd.get(), 0600) != 0) {
    return sysError(doing, errno);
  }
  sockaddr_un name = unixAddress(address.path);
  if (::bind(fd.get(), generic(name), sizeof name) != 0) {
    return sysError(doing, errno);
  }
  if (options.group &&
      ::lchown(address.path.c_str(), static_cast<uid_t>(-1), *options.group) != 0) {
    return sysError(doing + ": set group", errno);
  }
  if (::chmod(address.path.c_str(), options.mode) != 0 ||
      ::listen(fd.get(), options.backlog) != 0) {
    return sysError(doing, errno);
  }
  return fd;
}

Result<UniqueFd> listenTcp(const Address& address, const ListenOptions& options) {
  FLO_TRY_ASSIGN(AddrinfoList list, resolve(address, Names::Resolve));
  const std::string doing = "listen on " + address.toString();
  UniqueFd fd = makeSocket(list->ai_family, SOCK_NONBLOCK);
  if (!fd) {
    return sysError(doing, errno);
  }
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (list->ai_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off,
                 sizeof off);  // [::] means all, as in Go
  }
  if (::bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0 ||
      ::listen(fd.get(), options.backlog) != 0) {
    int err = errno;
    return err == EADDRINUSE ? sysError(doing, err).as(ErrorKind::Conflict) : sysError(doing, err);
  }
  return fd;
}

Result<UniqueFd> connectTo(const Address& address, const sockaddr* name, socklen_t size) {
  UniqueFd fd = makeSocket(name->sa_family, SOCK_NONBLOCK);
  if (!fd) {
    return sysError("create socket", errno);
  }
  if (::connect(fd.get(), name, size) != 0 && errno != EINPROGRESS) {
    return sysError("connect to " + address.toString(), errno).as(ErrorKind::Unavailable);
  }
  tuneConnection(fd.get());
  return fd;
}

Result<UniqueFd> beginConnect(const Address& address, Names names) {
  switch (address.kind) {
    case Address::Kind::Unix: {
      FLO_TRY_ASSIGN(const PeerName name, peerName(address.path));
      return connectTo(address, generic(name.address), sizeof name.address);
    }
    case Address::Kind::Tcp: {
      FLO_TRY_ASSIGN(AddrinfoList list, resolve(address, names));
      return connectTo(address, list->ai_addr, list->ai_addrlen);
    }
    case Address::Kind::Inherited:
      break;
  }
  return Error(ErrorKind::InvalidArgument, "cannot connect to " + address.toString());
}

std::string ipName(const sockaddr_storage& storage, std::uint16_t& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    port = ntohs(v4.sin_port);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    port = ntohs(v6.sin6_port);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

}  // namespace

Result<UniqueFd> listenOn(const Address& address, const ListenOptions& options) {
  switch (address.kind) {
    case Address::Kind::Unix:
      return listenUnix(address, options);
    case Address::Kind::Tcp:
      return listenTcp(address, options);
    case Address::Kind::Inherited:
      break;
  }
  return Error(ErrorKind::InvalidArgument,
               "an inherited socket is not bound here: " + address.toString());
}

Result<UniqueFd> startConnect(const Address& address) {
  return beginConnect(address, Names::LiteralsOnly);
}

Result<Address> resolveBlocking(const Address& address) {
  auto list = resolve(address, Names::Resolve);
  if (!list) {
    return std::move(list).error().as(ErrorKind::Unavailable);
  }
  sockaddr_storage storage{};
  std::memcpy(&storage, (*list)->ai_addr,
              std::min<std::size_t>((*list)->ai_addrlen, sizeof storage));
  Address literal{.kind = Address::Kind::Tcp};
  literal.host = ipName(storage, literal.port);
  return literal;
}

int connectError(int fd) {
  int err = 0;
  socklen_t size = sizeof err;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0) {
    return errno;
  }
  return err;
}

Result<UniqueFd> connectBlocking(const Address& address, int timeout_ms) {
  FLO_TRY_ASSIGN(UniqueFd fd, beginConnect(address, Names::Resolve));
  pollfd poll_fd{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&poll_fd, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    return Error(ErrorKind::DeadlineExceeded, "connect to " + address.toString() + ": timed out");
  }
  if (int err = connectError(fd.get()); err != 0) {
    return sysError("connect to " + address.toString(), err).as(ErrorKind::Unavailable);
  }
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

std::string peerName(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, generic(storage), &size) != 0) {
    return "unknown";
  }
  if (storage.ss_family == AF_UNIX) {
    ucred peer{};
    socklen_t peer_size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0) {
      return "unix";
    }
    return "unix:pid=" + std::to_string(peer.pid) + ",uid=" + std::to_string(peer.uid);
  }
  std::uint16_t port = 0;
  std::string ip = ipName(storage, port);
  Address address{.kind = Address::Kind::Tcp, .host = std::move(ip), .port = port};
  return address.toString().substr(std::string_view("tcp://").size());
}

Result<Address> localAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, generic(storage), &size) != 0) {
    return sysError("getsockname", errno);
  }
  if (storage.ss_family == AF_UNIX) {
    return Address{.kind = Address::Kind::Unix,
                   .path = reinterpret_cast<const sockaddr_un&>(storage).sun_path};
  }
  Address address{.kind = Address::Kind::Tcp};
  address.host = ipName(storage, address.port);
  return address;
}

void tuneConnection(int fd) {
  // Errors mean a unix socket, where neither exists nor matters.
  const int on = 1;
  const int idle_seconds = 60;
  const int interval_seconds = 15;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  }
}

}  // namespace flotilla::net
