#include "cli/daemon/proxy_host.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "common/log/log.h"
#include "common/net/socket.h"

namespace flotilla::daemon {
namespace {

constexpr int kListenerInChild = 3;
constexpr std::chrono::seconds kShortLife{1};
constexpr std::chrono::seconds kEnd{3};
constexpr int kBindTries = 20;
constexpr std::chrono::milliseconds kBindPause{100};
constexpr const char* kIdleExit = "60";  // seconds

std::string programPath() {
  std::error_code failed;
  return (std::filesystem::read_symlink("/proc/self/exe", failed).parent_path() /
          "flotilla-registry-proxy")
      .string();
}

}  // namespace

ProxyHost::~ProxyHost() {
  reactor_.cancelTimer(timer_);
  if (process_) {
    reactor_.unwatch(process_->pidFd());
    (void)process_->signal(SIGTERM);
    if (!process_->wait(kEnd)) {
      (void)process_->signal(SIGKILL);
      (void)process_->wait(kEnd);
    }
  } else if (listener_) {
    reactor_.unwatch(listener_.get());
  }
  if (listener_) {
    (void)::unlink(options_.socket.c_str());
  }
}

Result<void> ProxyHost::listen() {
  const net::Address address{.kind = net::Address::Kind::Unix, .path = options_.socket};
  for (int attempt = 1;; ++attempt) {
    auto bound = net::listenOn(address, {.mode = 0600});
    if (bound) {
      listener_ = *std::move(bound);
      return waitForClient();
    }
    // The proxy of a daemon that was killed just now may not have ended yet.
    if (bound.error().kind() != ErrorKind::Conflict || attempt == kBindTries) {
      return std::move(bound).error();
    }
    std::this_thread::sleep_for(kBindPause);
  }
}

Result<void> ProxyHost::waitForClient() {
  return reactor_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { start(); });
}

Result<Process> ProxyHost::spawn() const {
  ProcessSpec spec{.argv = {programPath(), "--config-file", "/dev/null", "--listen-fd",
                            std::to_string(kListenerInChild), "--parent",
                            std::to_string(::getpid()), "--cache-folder", options_.cache_folder,
                            "--cache-size", options_.cache_size, "--user", options_.user,
                            "--idle-exit", kIdleExit, "--log-level", options_.log_level,
                            "--log-format", options_.log_format}};
  for (const std::string& mirror : options_.mirrors) {
    spec.argv.insert(spec.argv.end(), {"--registry-mirror", mirror});
  }
  for (const std::string& insecure : options_.insecure) {
    spec.argv.insert(spec.argv.end(), {"--insecure-registry", insecure});
  }
  spec.fds = {{listener_.get(), kListenerInChild}, {STDERR_FILENO, STDERR_FILENO}};
  spec.session = ProcessSpec::Session::New;  // a terminal's Ctrl-C is for the daemon, which ends it
  return Process::spawn(spec);
}

void ProxyHost::start() {
  reactor_.unwatch(listener_.get());
  auto process = spawn();
  if (!process) {
    log::error("the registry proxy cannot be started", {{"error", process.error().message()}});
    turnAway();
    waitLater();
    return;
  }
  process_.emplace(*std::move(process));
  started_ = std::chrono::steady_clock::now();
  const auto watched =
      reactor_.watch(process_->pidFd(), EPOLLIN, [this](std::uint32_t) { ended(); });
  if (!watched) {
    log::error("the registry proxy cannot be watched", {{"error", watched.error().message()}});
  }
}

void ProxyHost::ended() {
  reactor_.unwatch(process_->pidFd());
  const auto how = process_->wait(std::chrono::milliseconds(0));
  process_.reset();
  if (how && how->code != 0) {
    log::warning("the registry proxy ended", {{"code", std::to_string(how->code)}});
  }
  if (std::chrono::steady_clock::now() - started_ < kShortLife) {
    turnAway();
    waitLater();
  } else if (const auto waiting = waitForClient(); !waiting) {
    log::error("the registry proxy's socket cannot be watched",
               {{"error", waiting.error().message()}});
  }
}

/// Those who wait would do so in vain.
void ProxyHost::turnAway() {
  for (;;) {
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      return;
    }
  }
}

void ProxyHost::waitLater() {
  timer_ = reactor_.runAfter(kShortLife, [this] {
    if (const auto waiting = waitForClient(); !waiting) {
      log::error("the registry proxy's socket cannot be watched",
                 {{"error", waiting.error().message()}});
    }
  });
}

}  // namespace flotilla::daemon
