#include "engine/shim/prepared_execs.h"

#include <signal.h>

#include <utility>

namespace flotilla::engine::shim {

void PreparedExecs::prepare(const std::string& exec_id, const std::string& name, bool tty,
                            bool open_stdin) {
  if (waiting_.size() >= kMost || waiting_.contains(exec_id)) {
    return;
  }
  const auto prepared = std::make_shared<PreparedExec>();
  prepared->exec_id = exec_id;
  prepared->name = name;
  prepared->tty = tty;
  prepared->open_stdin = open_stdin;
  if (!launch(prepared)) {
    return;
  }
  waiting_[exec_id] = prepared;
  prepared->timer = loop_.after(kKeptFor, [this, exec_id, tty, open_stdin] {
    if (const Ptr late = take(exec_id, tty, open_stdin)) {
      dismiss(late);
    }
  });
}

bool PreparedExecs::launch(const Ptr& prepared) {
  ProcessIo::Options options;
  options.tty = prepared->tty;
  options.open_stdin = prepared->open_stdin;
  options.stdin_once = true;
  prepared->io = std::make_shared<ProcessIo>(loop_, nullptr, options);
  prepared->io->hold();
  if (prepared->tty) {
    auto console = ConsoleSocket::listen(prepared->name + ".sock");
    if (!console) {
      return false;
    }
    prepared->console = std::move(*console);
  }
  const auto stdio = prepared->io->open();
  if (!stdio) {
    return false;
  }
  const auto pid = runtime_.beginExec(
      prepared->name, *stdio, prepared->console ? prepared->console->path() : std::string());
  prepared->io->closeChildEnds();
  if (!pid) {
    return false;
  }
  prepared->pid = *pid;
  children_.expect(*pid, [this, prepared](int status) { runtimeEnded(prepared, status); });
  return true;
}

void PreparedExecs::runtimeEnded(const Ptr& prepared, int status) {
  prepared->pid = 0;
  if (const auto ended = std::exchange(prepared->ended, nullptr)) {
    ended(status);
    return;
  }
  // Dismissed, or killed with the container.
  const auto found = waiting_.find(prepared->exec_id);
  if (found != waiting_.end() && found->second == prepared) {
    loop_.cancel(prepared->timer);
    waiting_.erase(found);
  }
  (void)runtime_.takeOutcome(prepared->name);
}

std::shared_ptr<PreparedExec> PreparedExecs::take(const std::string& exec_id, bool tty,
                                                  bool open_stdin) {
  auto node = waiting_.extract(exec_id);
  if (!node) {
    return nullptr;
  }
  const Ptr prepared = std::move(node.mapped());
  loop_.cancel(prepared->timer);
  if (prepared->tty != tty || prepared->open_stdin != open_stdin) {
    dismiss(prepared);
    return nullptr;
  }
  return prepared;
}

void PreparedExecs::dismiss(const Ptr& prepared) {
  prepared->ended = nullptr;
  if (prepared->pid != 0) {
    ::kill(prepared->pid, SIGKILL);  // not reaped yet: the number is still its own
  }
}

std::vector<int> PreparedExecs::pids() const {
  std::vector<int> out;
  for (const auto& [exec_id, prepared] : waiting_) {
    out.push_back(prepared->pid);
  }
  return out;
}

}  // namespace flotilla::engine::shim
