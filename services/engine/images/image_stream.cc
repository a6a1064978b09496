#include "engine/images/image_stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/json/json.h"

namespace flotilla::engine {
namespace {

constexpr int kCancelPollMs = 200;

struct Waiter {
  int fd;
  std::chrono::seconds idle;
  std::function<bool()> cancelled;

  Result<void> until(short events) const {
    const auto deadline = std::chrono::steady_clock::now() + idle;
    for (;;) {
      if (cancelled()) {
        return Error{ErrorKind::Unavailable, "cancelled"};
      }
      pollfd entry{fd, events, 0};
      const int ready = ::poll(&entry, 1, kCancelPollMs);
      if (ready > 0) {
        return {};
      }
      if (ready < 0 && errno != EINTR) {
        return sysError("wait for the client", errno);
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        return Error{ErrorKind::DeadlineExceeded, "the client sent or took nothing for too long"};
      }
    }
  }
};

/// "3.072kB": decimal units with four significant digits, as go-units' HumanSize.
std::string humanSize(std::uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.4g%s", value, kUnits[unit]);
  return std::string(text.data(), static_cast<std::size_t>(std::max(length, 0)));
}

std::string progressBar(std::uint64_t current, std::uint64_t total) {
  constexpr std::uint64_t kWidth = 50;
  const std::uint64_t filled = total == 0 ? 0 : std::min(current, total) * 100 / total / 2;
  std::string bar(1, '[');
  bar.append(filled, '=').append(1, '>').append(kWidth - filled, ' ').append("] ");
  const std::string have = humanSize(current);
  bar += std::string(have.size() < 8 ? 8 - have.size() : 0, ' ') + have + "/" + humanSize(total);
  return bar;
}

}  // namespace

ImageStream streamOver(int fd, std::chrono::seconds idle, std::function<bool()> cancelled) {
  const Waiter waiter{fd, idle, cancelled};
  ImageStream stream;
  stream.read = [waiter](char* buffer, std::size_t size) -> Result<std::size_t> {
    for (;;) {
      FLO_TRY(waiter.until(POLLIN));
      const ssize_t got = ::read(waiter.fd, buffer, size);
      if (got >= 0) {
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR && errno != EAGAIN) {
        return Error{ErrorKind::Unavailable, "the client is gone", errno};
      }
    }
  };
  stream.write = [waiter](std::string_view bytes) -> Result<void> {
    while (!bytes.empty()) {
      FLO_TRY(waiter.until(POLLOUT));
      ssize_t done = ::send(waiter.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (done < 0 && errno == ENOTSOCK) {
        done = ::write(waiter.fd, bytes.data(), bytes.size());
      }
      if (done < 0 && errno != EINTR && errno != EAGAIN) {
        return Error{ErrorKind::Unavailable, "the client is gone", errno};
      }
      bytes.remove_prefix(done > 0 ? static_cast<std::size_t>(done) : 0);
    }
    return {};
  };
  stream.cancelled = std::move(cancelled);
  return stream;
}

std::string streamLine(std::string_view text) {
  return "{\"stream\":" + json::quote(text) + "}\r\n";
}

std::string statusLine(std::string_view status) {
  return "{\"status\":" + json::quote(status) + "}\r\n";
}

std::string errorLine(const Error& error) {
  const std::string message = json::quote(error.message());
  return "{\"errorDetail\":{\"message\":" + message + "},\"error\":" + message + "}\r\n";
}

std::string progressLine(std::string_view status, std::string_view id, std::uint64_t current,
                         std::uint64_t total) {
  return "{\"status\":" + json::quote(status) +
         ",\"progressDetail\":{\"current\":" + std::to_string(current) +
         ",\"total\":" + std::to_string(total) +
         "},\"progress\":" + json::quote(progressBar(current, total)) +
         ",\"id\":" + json::quote(id) + "}\r\n";
}

}  // namespace flotilla::engine
