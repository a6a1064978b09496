#include "engine/shim/sockets.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "common/os/peer_access.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {
namespace {

using nlohmann::json;

constexpr std::size_t kTicketLength = 32;
constexpr std::size_t kMaxWaiting = 256;

bool isTicket(std::string_view text) {
  return text.size() == kTicketLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Takes as long for any two tickets of the same length.
bool equalTickets(std::string_view left, std::string_view right) {
  unsigned difference = left.size() == right.size() ? 0 : 1;
  for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
    difference |= static_cast<unsigned char>(left[i]) ^ static_cast<unsigned char>(right[i]);
  }
  return difference == 0;
}

}  // namespace

Result<UniqueFd> listenAt(const std::string& name, int type) {
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!fd || name.size() >= sizeof(address.sun_path)) {
    return sysError("socket " + name, fd ? ENAMETOOLONG : errno);
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  ::unlink(name.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(name.c_str(), 0600) != 0 || ::listen(fd.get(), 128) != 0) {
    return sysError("listen at " + name, errno);
  }
  return fd;
}

Result<std::unique_ptr<ControlServer>> ControlServer::listen(EventLoop& loop, Handler handler) {
  FLO_TRY_ASSIGN(UniqueFd listener, listenAt("ctl.sock", SOCK_SEQPACKET));
  return std::make_unique<ControlServer>(loop, std::move(listener), std::move(handler));
}

ControlServer::ControlServer(EventLoop& loop, UniqueFd listener, Handler handler)
    : loop_(loop), listener_(std::move(listener)), handler_(std::move(handler)) {
  watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
}

ControlServer::~ControlServer() {
  ::unlink("ctl.sock");
  loop_.unwatch(watch_);
  for (auto& [id, connection] : connections_) {
    loop_.unwatch(connection.watch);
  }
}

void ControlServer::accept() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || connections_.size() >= kMaxConnections || !peerHasAccess(fd.get(), 0)) {
    return;
  }
  const std::uint64_t id = next_++;
  const int raw = fd.get();
  Connection& connection = connections_[id];
  connection.fd = std::move(fd);
  connection.watch = loop_.watch(raw, EPOLLIN, [this, id](std::uint32_t) { readable(id); });
  readable(id);  // a request usually follows the connection at once
}

void ControlServer::readable(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return;
  }
  static std::vector<char> buffer(kMaxPacket);
  const ssize_t got =
      ::recv(found->second.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    drop(id);
    return;
  }
  const auto size = static_cast<std::size_t>(got);
  const json request = size > buffer.size()
                           ? json()
                           : json::parse(buffer.begin(), buffer.begin() + got, nullptr, false);
  if (!request.is_object()) {
    send(id, errorAnswer(Error{ErrorKind::InvalidArgument, "malformed request"}));
    return;
  }
  loop_.modify(found->second.watch, 0);
  subscribing_ = false;
  const std::weak_ptr alive(alive_);
  const Handler handler = handler_;  // a request may end this server
  handler(request, [this, id, alive](const json& answer) {
    if (alive.expired()) {
      return;
    }
    const auto connection = connections_.find(id);
    if (connection != connections_.end()) {
      loop_.modify(connection->second.watch, EPOLLIN);
      send(id, answer);
    }
  });
  if (alive.expired()) {
    return;
  }
  const auto after = connections_.find(id);
  if (after != connections_.end() && std::exchange(subscribing_, false)) {
    after->second.subscribed = true;
  }
}

void ControlServer::send(std::uint64_t id, const json& packet) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return;
  }
  const std::string text = packet.dump(-1, ' ', false, json::error_handler_t::replace);
  // A subscriber that does not read is cut off: it finds the journal when it comes back.
  if (::send(found->second.fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    drop(id);
  }
}

void ControlServer::drop(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found != connections_.end()) {
    loop_.unwatch(found->second.watch);
    connections_.erase(found);
  }
}

void ControlServer::publish(std::uint64_t seq) {
  std::vector<std::uint64_t> targets;
  for (const auto& [id, connection] : connections_) {
    if (connection.subscribed) {
      targets.push_back(id);
    }
  }
  for (const std::uint64_t id : targets) {
    send(id, {{"event", "journal"}, {"seq", seq}});
  }
}

json errorAnswer(const Error& error, int code) {
  json answer = {{"error", error.message()}, {"kind", kindName(error.kind())}};
  if (code != 0) {
    answer["code"] = code;
  }
  return answer;
}

Result<std::unique_ptr<StreamDoor>> StreamDoor::listen(EventLoop& loop) {
  FLO_TRY_ASSIGN(UniqueFd listener, listenAt("io.sock", SOCK_STREAM));
  // Its group, the folder's, is the gateways', which need not be root's; accept() asks for it.
  if (::chmod("io.sock", 0660) != 0) {
    return sysError("open io.sock to its group", errno);
  }
  return std::make_unique<StreamDoor>(loop, std::move(listener));
}

StreamDoor::StreamDoor(EventLoop& loop, UniqueFd listener)
    : loop_(loop), listener_(std::move(listener)) {
  watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
}

StreamDoor::~StreamDoor() {
  ::unlink("io.sock");
  loop_.unwatch(watch_);
  for (auto& [ticket, expected] : expected_) {
    loop_.cancel(expected.timer);
  }
  for (auto& [id, visitor] : visitors_) {
    loop_.unwatch(visitor.watch);
    loop_.cancel(visitor.timer);
  }
}

Result<void> StreamDoor::expect(const std::string& ticket, Accepted accepted) {
  if (!isTicket(ticket) || expected_.count(ticket) != 0) {
    return Error{ErrorKind::InvalidArgument, "malformed stream ticket"};
  }
  if (expected_.size() >= kMaxWaiting) {
    return Error{ErrorKind::Unavailable, "too many streams wait for their client"};
  }
  const EventLoop::Id timer = loop_.after(kValid, [this, ticket] {
    auto node = expected_.extract(ticket);
    if (node) {
      node.mapped().accepted(UniqueFd());
    }
  });
  expected_.emplace(ticket, Expected{std::move(accepted), timer});
  return {};
}

void StreamDoor::accept() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || visitors_.size() >= kMaxWaiting || !peerHasAccess(fd.get(), groupOf("io.sock"))) {
    return;
  }
  const std::uint64_t id = next_++;
  const int raw = fd.get();
  const EventLoop::Id timer = loop_.after(kValid, [this, id] { drop(id); });
  const EventLoop::Id watch =
      loop_.watch(raw, EPOLLIN, [this, id](std::uint32_t) { readable(id); });
  visitors_.emplace(id, Visitor{std::move(fd), watch, timer, {}});
  readable(id);
}

void StreamDoor::readable(std::uint64_t id) {
  const auto found = visitors_.find(id);
  if (found == visitors_.end()) {
    return;
  }
  Visitor& visitor = found->second;
  std::array<char, kTicketLength + 1> buffer;
  // Exactly the line: what follows it is the stream's.
  const ssize_t got =
      ::recv(visitor.fd.get(), buffer.data(), buffer.size() - visitor.line.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    drop(id);
    return;
  }
  visitor.line.append(buffer.data(), static_cast<std::size_t>(got));
  if (visitor.line.size() < buffer.size()) {
    return;
  }
  const std::string ticket = visitor.line.substr(0, kTicketLength);
  const bool whole = visitor.line.back() == '\n';
  UniqueFd fd = std::move(visitor.fd);
  loop_.unwatch(visitor.watch);
  loop_.cancel(visitor.timer);
  visitors_.erase(found);
  if (whole) {
    present(std::move(fd), ticket);
  }
}

void StreamDoor::drop(std::uint64_t id) {
  const auto found = visitors_.find(id);
  if (found != visitors_.end()) {
    loop_.unwatch(found->second.watch);
    loop_.cancel(found->second.timer);
    visitors_.erase(found);
  }
}

void StreamDoor::present(UniqueFd fd, const std::string& ticket) {
  auto match = expected_.end();
  for (auto it = expected_.begin(); it != expected_.end(); ++it) {
    match = equalTickets(it->first, ticket) ? it : match;
  }
  if (match == expected_.end()) {
    return;
  }
  auto node = expected_.extract(match);
  loop_.cancel(node.mapped().timer);
  node.mapped().accepted(std::move(fd));
}

Result<std::unique_ptr<ConsoleSocket>> ConsoleSocket::listen(const std::string& name) {
  FLO_TRY_ASSIGN(UniqueFd listener, listenAt(name, SOCK_STREAM));
  return std::make_unique<ConsoleSocket>(std::move(listener), name);
}

ConsoleSocket::ConsoleSocket(UniqueFd listener, std::string name)
    : listener_(std::move(listener)), name_(std::move(name)) {}

ConsoleSocket::~ConsoleSocket() { ::unlink(name_.c_str()); }

std::string ConsoleSocket::path() const {
  // Short, however long the run directory's name is.
  return "/proc/" + std::to_string(::getpid()) + "/cwd/" + name_;
}

UniqueFd ConsoleSocket::take() {
  const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer) {
    return {};
  }
  std::array<char, 4096> name;
  iovec part{name.data(), name.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) {
    return {};
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    return {};
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

}  // namespace flotilla::engine::shim
