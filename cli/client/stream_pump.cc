#include "cli/client/stream_pump.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "cli/client/demultiplexer.h"

namespace flotilla::cli {
namespace {

constexpr std::array kProxied{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM};
constexpr std::size_t kPiece = 64 * 1024;

/// One attached stream being moved; a step of each kind per turn of the loop.
class Pump {
 public:
  Pump(HttpStream& stream, const SignalSource& signals, const PumpOptions& options, DetachKeys keys)
      : stream_(stream),
        signals_(signals),
        options_(options),
        keys_(std::move(keys)),
        reading_stdin_(options.input),
        demultiplexer_([this](Demultiplexer::Output output, std::string_view piece) {
          write(output == Demultiplexer::Output::Stdout ? STDOUT_FILENO : STDERR_FILENO, piece);
        }) {}

  Result<PumpEnd> run() {
    for (;;) {
      FLO_TRY(waitForSomething());
      handleSignals();
      if (detached_) {
        return PumpEnd::Detached;
      }
      FLO_TRY(sendPending());
      FLO_TRY_ASSIGN(const bool open, receive());
      if (!open) {
        return PumpEnd::StreamEnded;
      }
    }
  }

 private:
  Result<void> waitForSomething() {
    const bool take_input = reading_stdin_ && to_send_.empty();
    const bool sending = !to_send_.empty() || half_close_;
    std::array<pollfd, 3> waiting{{
        {stream_.connection().fd(), static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0},
        {signals_.fd(), POLLIN, 0},
        {take_input ? STDIN_FILENO : -1, POLLIN, 0},
    }};
    if (::poll(waiting.data(), waiting.size(), stream_.hasBufferedInput() ? 0 : -1) < 0 &&
        errno != EINTR) {
      return sysError("poll", errno);
    }
    if ((waiting[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      readStdin();
    }
    return {};
  }

  void readStdin() {
    std::array<char, kPiece> buffer{};
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
      return;
    }
    if (got <= 0) {
      reading_stdin_ = false;
      half_close_ = true;
      return;
    }
    const std::string_view typed(buffer.data(), static_cast<std::size_t>(got));
    if (options_.tty) {
      detached_ = keys_.filter(typed, to_send_);
    } else {
      to_send_ = typed;
    }
  }

  Result<void> sendPending() {
    while (!to_send_.empty()) {
      const auto put = stream_.connection().tryWrite(to_send_);
      if (!put) {
        // The container's stdin is closed; its output may still come.
        reading_stdin_ = false;
        to_send_.clear();
        return {};
      }
      if (*put == 0) {
        return {};
      }
      to_send_.erase(0, *put);
    }
    if (half_close_) {
      half_close_ = !stream_.connection().tryShutdownWrite();
    }
    return {};
  }

  Result<bool> receive() {
    for (int pieces = 0; pieces < 16; ++pieces) {
      FLO_TRY_ASSIGN(const auto got, stream_.tryReadRaw(buffer_));
      if (!got) {
        return true;
      }
      if (*got == 0) {
        return false;
      }
      const std::string_view piece(buffer_.data(), *got);
      if (options_.tty) {
        write(STDOUT_FILENO, piece);
      } else {
        FLO_TRY(demultiplexer_.feed(piece));
      }
    }
    return true;
  }

  void handleSignals() {
    for (int signal = signals_.next(); signal != 0; signal = signals_.next()) {
      if (signal == SIGWINCH) {
        if (options_.on_resize) {
          options_.on_resize();
        }
      } else if (options_.on_signal) {
        options_.on_signal(signal);
      }
    }
  }

  void write(int fd, std::string_view bytes) const {
    if (options_.output) {
      writeOut(fd, bytes);
    }
  }

  HttpStream& stream_;
  const SignalSource& signals_;
  const PumpOptions& options_;
  DetachKeys keys_;
  bool reading_stdin_;
  bool half_close_ = false;
  bool detached_ = false;
  std::string to_send_;
  std::vector<char> buffer_ = std::vector<char>(kPiece);
  Demultiplexer demultiplexer_;
};

}  // namespace

Result<SignalSource> SignalSource::create(bool proxy) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGWINCH);
  if (proxy) {
    for (const int signal : kProxied) {
      ::sigaddset(&set, signal);
    }
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) {
    return sysError("signalfd", errno);
  }
  return SignalSource(std::move(fd));
}

int SignalSource::next() const {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                              : 0;
}

Result<PumpEnd> pump(HttpStream& stream, const SignalSource& signals, const PumpOptions& options) {
  FLO_TRY_ASSIGN(auto keys, DetachKeys::parse(options.detach_keys));
  return Pump(stream, signals, options, std::move(keys)).run();
}

void writeOut(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace flotilla::cli
