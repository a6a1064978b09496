#include "common/stream/relay_pump.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace flotilla {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr int kRoundsPerTurn = 16;  // then other streams have their turn
constexpr int kFullReadsForBulk = 4;

char* threadBuffer() {
  thread_local const std::unique_ptr<char[]> buffer(new char[kChunk]);
  return buffer.get();
}

/// A unix peer that closed with unread bytes makes our read fail so, after all it sent was read:
/// to us that is the end of input. On TCP a reset may have destroyed bytes.
bool isEndOfUnixPeer(int fd, int err) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return err == ECONNRESET && ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         domain == AF_UNIX;
}

}  // namespace

void RelayPump::run() {
  for (int round = 0; round < kRoundsPerTurn && !ended_; ++round) {
    if (!drain()) {
      if (!ended_) {
        from_.enableRead(false);
      }
      return;
    }
    if (input_ended_) {
      return end();
    }
    Step step = fill();
    if (error_) {
      return;
    }
    if (step == Step::Idle && drain()) {
      if (input_ended_) {
        return end();
      }
      from_.enableRead(true);
      return;
    }
  }
  if (!ended_) {
    from_.enableRead(true);  // still readable: the loop comes back after the others
  }
}

RelayPump::Step RelayPump::fill() { return canSplice() ? fillByPipe() : fillByCopy(); }

RelayPump::Step RelayPump::fillByCopy() {
  Result<std::size_t> n = from_.read(threadBuffer(), kChunk);
  if (!n) {
    if (n.error().kind() == ErrorKind::Unavailable) {
      return Step::Idle;
    }
    if (isEndOfUnixPeer(from_.plainFd(), n.error().sysErrno())) {
      input_ended_ = true;
      return Step::Idle;
    }
    fail(std::move(n).error());
    return Step::Idle;
  }
  if (*n == 0) {
    input_ended_ = true;
    return Step::Idle;
  }
  full_reads_ = *n == kChunk ? full_reads_ + 1 : 0;
  std::string_view bytes(threadBuffer(), *n);
  Result<std::size_t> written = to_.write(bytes);
  if (!written) {
    refuse(std::move(written).error());
    return Step::Idle;
  }
  waiting_.assign(bytes.substr(*written));
  return *n == kChunk || !waiting_.empty() ? Step::More : Step::Idle;
}

RelayPump::Step RelayPump::fillByPipe() {
  for (;;) {
    ssize_t n = ::splice(from_.plainFd(), nullptr, pipe_in_.get(), nullptr, kChunk,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
      piped_ += static_cast<std::size_t>(n);
      return Step::More;
    }
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0 && errno == EAGAIN) {
      return Step::Idle;
    }
    if (n < 0 && !isEndOfUnixPeer(from_.plainFd(), errno)) {
      fail(sysError("splice from stream", errno));
      return Step::Idle;
    }
    input_ended_ = true;
    return Step::Idle;
  }
}

bool RelayPump::drain() {
  if (ended_) {
    return false;
  }
  if (!waiting_.empty()) {
    Result<std::size_t> written = to_.write(waiting_);
    if (!written) {
      refuse(std::move(written).error());
      return false;
    }
    waiting_.erase(0, *written);
    if (!waiting_.empty()) {
      return false;
    }
    std::string().swap(waiting_);
  }
  return piped_ == 0 || drainPipe();
}

bool RelayPump::drainPipe() {
  while (piped_ > 0) {
    ssize_t n = ::splice(pipe_out_.get(), nullptr, to_.plainFd(), nullptr, piped_,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
      piped_ -= static_cast<std::size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      to_.wantWritable();
      return false;
    } else if (n == 0 || errno != EINTR) {
      refuse(sysError("splice to stream", errno));
      return false;
    }
  }
  return true;
}

void RelayPump::end() {
  ended_ = true;
  from_.enableRead(false);
  pipe_in_.reset();
  pipe_out_.reset();
  std::string().swap(waiting_);
}

void RelayPump::refuse(Error error) {
  refused_ = std::move(error);
  end();
}

void RelayPump::fail(Error error) {
  error_ = std::move(error);
  end();
}

bool RelayPump::canSplice() {
  if (full_reads_ < kFullReadsForBulk || from_.plainFd() < 0 || to_.plainFd() < 0) {
    return false;
  }
  return pipe_in_.valid() || openPipe();
}

bool RelayPump::openPipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return false;  // short of descriptors: copying still works
  }
  pipe_out_.reset(ends[0]);
  pipe_in_.reset(ends[1]);
  return true;
}

}  // namespace flotilla
