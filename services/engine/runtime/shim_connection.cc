#include "engine/runtime/shim_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "engine/shim/protocol.h"

namespace flotilla::engine {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

Error noShim(int err) {
  return Error{ErrorKind::Unavailable, "the container's shim is not running", err};
}

/// Waits until `fd` is readable. False when the deadline passed.
Result<bool> waitReadable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return false;
    }
    pollfd poll_fd{fd, POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(left.count()));
    if (ready > 0) {
      return true;
    }
    if (ready < 0 && errno != EINTR) {
      return sysError("poll shim", errno);
    }
  }
}

}  // namespace

Result<UniqueFd> connectShim(const std::string& run_dir) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return sysError("socket", errno);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = run_dir + "/ctl.sock";
  UniqueFd directory;
  if (path.size() >= sizeof(address.sun_path)) {
    directory.reset(::open(run_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    path = "/proc/self/fd/" + std::to_string(directory.get()) + "/ctl.sock";
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return noShim(errno);
  }
  return fd;
}

Result<json> parseReply(std::string_view packet) {
  json reply = json::parse(packet.begin(), packet.end(), nullptr, false);
  if (!reply.is_object()) {
    return Error{ErrorKind::Internal, "the container's shim sent a malformed answer"};
  }
  const auto error = reply.find("error");
  if (error == reply.end()) {
    return reply;
  }
  const auto kind = reply.find("kind");
  return Error{kind != reply.end() && kind->is_string()
                   ? kindFromName(kind->get_ref<const std::string&>())
                   : ErrorKind::Internal,
               error->is_string() ? error->get<std::string>() : "unknown error of the shim"};
}

Result<json> callShim(const std::string& run_dir, const json& request,
                      std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  FLO_TRY_ASSIGN(const UniqueFd fd, connectShim(run_dir));
  const std::string packet = request.dump(-1, ' ', false, json::error_handler_t::replace);
  if (packet.size() > shim::kMaxPacket) {
    return Error{ErrorKind::InvalidArgument, "request to the shim is too large"};
  }
  if (::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    return noShim(errno);
  }
  std::string buffer(shim::kMaxPacket, '\0');
  while (true) {
    FLO_TRY_ASSIGN(const bool readable, waitReadable(fd.get(), deadline));
    if (!readable) {
      return Error{ErrorKind::DeadlineExceeded, "the container's shim did not answer in time"};
    }
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      return parseReply(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return noShim(got == 0 ? 0 : errno);
    }
  }
}

}  // namespace flotilla::engine
