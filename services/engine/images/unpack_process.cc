#include "engine/images/unpack_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "common/os/carried_program.h"
#include "engine/images/unpack/protocol.h"

namespace flotilla::engine {
namespace {

constexpr std::uint64_t kAnnounceStep = 512 * 1024;  // fewer wake-ups than reads of the stream
constexpr std::chrono::milliseconds kCancelPoll{200};
constexpr std::chrono::seconds kExitDeadline{10};

}  // namespace

Result<std::unique_ptr<UnpackProcess>> UnpackProcess::start(const Options& options) {
  UniqueFd layer(::open(options.layer_file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<int, 2> pair{-1, -1};
  if (!layer || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return sysError("unpack " + options.layer_file, errno);
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  ProcessSpec spec{.argv = commandOf(options.program)};
  spec.argv.push_back(options.directory);
  spec.env.emplace();
  spec.fds = {{layer.get(), unpack::kLayerFd},
              {theirs.get(), unpack::kControlFd},
              {STDERR_FILENO, STDERR_FILENO}};
  FLO_TRY_ASSIGN(Process process, Process::spawn(spec));
  return std::unique_ptr<UnpackProcess>(new UnpackProcess(std::move(process), std::move(ours)));
}

UnpackProcess::~UnpackProcess() {
  if (!reaped_) {
    (void)process_.signal(SIGKILL);
    reap();
  }
}

void UnpackProcess::reap() {
  (void)process_.wait(kExitDeadline);
  reaped_ = true;
}

void UnpackProcess::announce(std::uint64_t available) {
  if (available < announced_ + kAnnounceStep) {
    return;
  }
  unpack::Progress update;
  update.available = available;
  if (::send(control_.get(), &update, sizeof update, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    announced_ = available;
  }
}

Result<void> UnpackProcess::announceEnd(std::uint64_t size) {
  unpack::Progress update;
  update.available = size;
  update.final = 1;
  // A full queue drains as the child reads on; a child that already failed has closed its end.
  for (int attempt = 0; attempt < 300; ++attempt) {
    if (::send(control_.get(), &update, sizeof update, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
        errno == EPIPE || errno == ECONNRESET) {
      return {};
    }
    if (errno != EAGAIN) {
      return sysError("talk to the unpacking process", errno);
    }
    pollfd poll_entry{control_.get(), POLLOUT, 0};
    (void)::poll(&poll_entry, 1, 100);
  }
  return Error{ErrorKind::DeadlineExceeded, "the unpacking process does not listen"};
}

bool UnpackProcess::done() const {
  pollfd entry{control_.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

Result<UnpackedLayer> UnpackProcess::wait(const std::function<bool()>& cancelled,
                                          std::chrono::seconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    pollfd entry{control_.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(kCancelPoll.count()));
    if (ready > 0) {
      return receive();
    }
    if (ready < 0 && errno != EINTR) {
      return sysError("wait for the unpacking process", errno);
    }
    if (cancelled()) {
      return Error{ErrorKind::Unavailable, "cancelled"};
    }
    if (std::chrono::steady_clock::now() >= until) {
      return Error{ErrorKind::DeadlineExceeded, "unpacking a layer takes too long"};
    }
  }
}

Result<UnpackedLayer> UnpackProcess::receive() {
  std::array<char, sizeof(unpack::Outcome) + unpack::kMaxMessage> packet{};
  const ssize_t got = ::recv(control_.get(), packet.data(), packet.size(), 0);
  reap();  // it exits right after its message
  if (got < static_cast<ssize_t>(sizeof(unpack::Outcome))) {
    return Error{ErrorKind::Internal, "the unpacking process died"};
  }
  unpack::Outcome outcome;
  std::memcpy(&outcome, packet.data(), sizeof outcome);
  if (outcome.status != 0) {
    const auto size = static_cast<std::size_t>(got) - sizeof outcome;
    return Error{outcome.status == 1 ? ErrorKind::InvalidArgument : ErrorKind::Internal,
                 std::string(packet.data() + sizeof outcome, size)};
  }
  UnpackedLayer layer;
  layer.compressed = outcome.compressed != 0;
  if (layer.compressed) {
    layer.diff_hex.assign(std::begin(outcome.diff_hex), std::end(outcome.diff_hex));
  }
  layer.tar_size = outcome.tar_size;
  layer.disk_size = outcome.disk_size;
  return layer;
}

}  // namespace flotilla::engine
