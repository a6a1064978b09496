#include "engine/shim/children.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <csignal>
#include <utility>
#include <vector>

namespace flotilla::engine::shim {

Children::Children(EventLoop& loop) : loop_(loop) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  watch_ = loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { reap(); });
}

Children::~Children() { loop_.unwatch(watch_); }

void Children::expect(pid_t pid, std::function<void(int)> exited) {
  const auto early = unknown_.find(pid);
  if (early != unknown_.end()) {
    loop_.defer([exited = std::move(exited), status = early->second] { exited(status); });
    unknown_.erase(early);
    return;
  }
  expected_[pid] = std::move(exited);
}

void Children::runtimeEnded() {
  if (--runtimes_ == 0) {
    // Not at once: who ends a runtime still has to expect its process.
    loop_.defer([this] {
      if (runtimes_ == 0) {
        unknown_.clear();
      }
    });
  }
}

void Children::reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) > 0) {
  }
  std::vector<std::pair<pid_t, int>> ended;
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
       pid = ::waitpid(-1, &status, WNOHANG)) {
    if (expected_.count(pid) == 0) {
      if (runtimes_ > 0) {
        unknown_[pid] = status;
      }
      continue;
    }
    ended.emplace_back(pid, status);
  }
  for (const auto& [pid, how] : ended) {
    auto node = expected_.extract(pid);
    if (node) {
      node.mapped()(how);
    }
  }
}

int exitCode(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace flotilla::engine::shim
