#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/lifecycle/container_runtime.h"

namespace flotilla::engine::testing_support {

/// Shims in memory: journals, watches and processes, moved by the test. Thread-safe.
class FakeRuntime final : public ContainerRuntime, public ContainerSessions {
 public:
  /// The next go() fails so.
  void failNextGo(Error error, int code) {
    const std::lock_guard lock(mutex_);
    next_failure_ = {std::move(error), code};
  }
  /// The next setLimits() fails so.
  void failNextLimits(Error error) {
    const std::lock_guard lock(mutex_);
    limits_failure_ = std::move(error);
  }
  /// The shim leaves, as one that nobody is attached to, just before the next go() or attach().
  void leaveAtNextCall() {
    const std::lock_guard lock(mutex_);
    leaves_ = true;
  }
  /// The journal of `id` cannot be read.
  void spoilJournal(const std::string& id) {
    const std::lock_guard lock(mutex_);
    shims_[id].spoilt = true;
  }
  /// What the process does with signals: the signals it dies of (SIGKILL always).
  void setMortal(bool mortal) { mortal_ = mortal; }

  /// The process of `id` ends; the shim leaves unless it restarts.
  void exit(const std::string& id, int code, bool restarting = false) {
    {
      const std::lock_guard lock(mutex_);
      Shim& shim = shims_[id];
      JournalLine line;
      line.what = JournalLine::What::Exit;
      line.exit_code = code;
      line.restarting = restarting && !shim.stopping;
      append(shim, line);
      shim.running = false;
      shim.alive = line.restarting;
    }
    news(id);
    leave(id);
  }
  /// As exit(), but the shim stays for its readers until lose().
  void exitWithReaders(const std::string& id, int code) {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      Shim& shim = shims_[id];
      JournalLine line;
      line.what = JournalLine::What::Exit;
      line.exit_code = code;
      append(shim, line);
      shim.running = false;
      shim.lingers = true;
      told = std::exchange(shim.on_gone, nullptr);
      shim.on_news = nullptr;
    }
    told();
  }
  /// A restart of the restart policy.
  void restarted(const std::string& id) {
    {
      const std::lock_guard lock(mutex_);
      start(shims_[id]);
    }
    news(id);
  }
  /// kill -9 of the shim: no word in the journal.
  void lose(const std::string& id) {
    {
      const std::lock_guard lock(mutex_);
      shims_[id].alive = false;
      shims_[id].running = false;
      shims_[id].lingers = false;
      left_.notify_all();
    }
    leave(id);
  }
  /// How many wait for a shim to leave.
  [[nodiscard]] int reserving() const {
    const std::lock_guard lock(mutex_);
    return reserving_;
  }
  /// The engine process is gone: nobody watches any more.
  void dropWatches() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, shim] : shims_) {
      shim.on_news = nullptr;
      shim.on_gone = nullptr;
    }
  }
  [[nodiscard]] std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  [[nodiscard]] int launches(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto shim = shims_.find(id);
    return shim == shims_.end() ? 0 : shim->second.launches;
  }

  /// What the shim of `id` writes to the journal between its exit and its leaving.
  void writeLate(const std::string& id, JournalLine line) {
    const std::lock_guard lock(mutex_);
    shims_[id].late.push_back(std::move(line));
  }
  /// LaunchSpec::first_seq of the last launch.
  [[nodiscard]] std::uint64_t firstSeq(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return shims_.at(id).first_seq;
  }

  void expectStart() override {}
  Result<UniqueFd> reserve(const std::string& id) override {
    std::unique_lock lock(mutex_);
    ++reserving_;
    left_.wait_for(lock, std::chrono::seconds(15), [&] { return !shims_[id].lingers; });
    --reserving_;
    for (JournalLine& line : std::exchange(shims_[id].late, {})) {
      append(shims_[id], std::move(line));
    }
    return UniqueFd();
  }
  Result<void> launch(LaunchRequest request) override {
    const std::lock_guard lock(mutex_);
    Shim& shim = shims_[request.spec.container_id];
    shim.alive = true;
    shim.stopping = false;
    shim.run = request.spec.run;
    shim.first_seq = request.spec.first_seq;
    ++shim.launches;
    return {};
  }
  bool alive(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    return shims_[id].alive;
  }
  Result<void> go(const std::string& id, unsigned run) override {
    {
      const std::lock_guard lock(mutex_);
      Shim& shim = shims_[id];
      FLO_TRY(leaveUnstarted(shim));
      if (!shim.alive) {
        return Error{ErrorKind::Unavailable, "no shim"};
      }
      if (shim.running && shim.run == run) {
        return {};
      }
      if (!next_failure_) {
        start(shim);
      } else {
        JournalLine line;
        line.what = JournalLine::What::StartFailed;
        ++shim.run;
        line.exit_code = next_failure_->second;
        line.error = next_failure_->first.message();
        append(shim, line);
        shim.alive = false;
        return std::exchange(next_failure_, std::nullopt)->first;
      }
    }
    news(id);
    return {};
  }
  void end(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    if (!shims_[id].running) {
      shims_[id].alive = false;
    }
  }
  void abandon(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    shims_[id].running = false;
    shims_[id].alive = false;
  }
  Result<void> stopping(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    shims_[id].stopping = true;
    return {};
  }
  Result<void> setRestartPolicy(const std::string&, const shim::RestartPolicy&) override {
    return {};
  }
  Result<void> setLimits(const std::string& id, const std::string& limits) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back("limits " + limits);
    if (limits_failure_) {
      return *std::exchange(limits_failure_, std::nullopt);
    }
    return shims_[id].alive ? Result<void>{} : Error{ErrorKind::Unavailable, "no shim"};
  }
  Result<void> signal(const ProcessRef& process, int signal_number) override {
    std::string id;
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back("signal " + std::to_string(signal_number));
      for (const auto& [known, shim] : shims_) {
        if (shim.running && shim.pid == process.pid) {
          id = known;
        }
      }
    }
    if (id.empty()) {
      return Error{ErrorKind::NotFound, "no such process"};
    }
    if (signal_number == 9 || mortal_) {
      exit(id, 128 + signal_number, true);
    }
    return {};
  }
  Result<void> pause(const std::string&) override { return {}; }
  Result<void> resume(const std::string&) override { return {}; }
  Result<std::vector<int>> pids(const std::string&) override { return std::vector<int>{}; }
  Result<std::vector<JournalLine>> journal(const std::string& id,
                                           std::uint64_t after_seq) override {
    const std::lock_guard lock(mutex_);
    if (shims_[id].spoilt) {
      return sysError("read journal of " + id, EIO);
    }
    std::vector<JournalLine> lines;
    for (const auto& line : shims_[id].lines) {
      if (line.seq > after_seq) {
        lines.push_back(line);
      }
    }
    return lines;
  }
  Result<void> watch(const std::string& id, std::function<void()> on_news,
                     std::function<void()> on_gone) override {
    const std::lock_guard lock(mutex_);
    if (!shims_[id].alive) {
      return Error{ErrorKind::Unavailable, "no shim"};
    }
    shims_[id].on_news = std::move(on_news);
    shims_[id].on_gone = std::move(on_gone);
    return {};
  }
  bool watching(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    return shims_[id].on_news != nullptr;
  }
  void consumed(const std::string&, std::uint64_t) override {}
  bool cleanUp(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back("cleanUp " + id);
    return true;
  }
  std::vector<std::string> known() override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> ids;
    for (const auto& [id, shim] : shims_) {
      ids.push_back(id);
    }
    return ids;
  }

  Result<StreamEndpoint> attach(const std::string& id, const AttachOptions&) override {
    const std::lock_guard lock(mutex_);
    FLO_TRY(leaveUnstarted(shims_[id]));
    return StreamEndpoint{"unix:/fake", "ticket"};
  }
  Result<void> resize(const std::string&, unsigned, unsigned) override { return {}; }
  void execPrepare(const std::string&, const ExecStart&) override {}
  Result<StreamEndpoint> execStart(const std::string&, ExecStart, const std::string&) override {
    return StreamEndpoint{"unix:/fake", "ticket"};
  }
  Result<ExecState> execState(const std::string&, const std::string&) override {
    return Error{ErrorKind::NotFound, "no exec"};
  }
  Result<void> execResize(const std::string&, const std::string&, unsigned, unsigned) override {
    return {};
  }

 private:
  struct Shim {
    bool alive = false, running = false, stopping = false, spoilt = false, lingers = false;
    int pid = 0, launches = 0;
    unsigned run = 0;
    std::uint64_t seq = 0, first_seq = 0;
    std::vector<JournalLine> lines, late;
    std::function<void()> on_news, on_gone;
  };

  static void append(Shim& shim, JournalLine line) {
    line.seq = ++shim.seq;
    line.run = shim.run;
    line.time_ns = static_cast<std::int64_t>(line.seq) * 1000;
    shim.lines.push_back(std::move(line));
  }
  void start(Shim& shim) {
    JournalLine line;
    line.what = JournalLine::What::Start;
    line.pid = shim.pid = ++last_pid_;
    line.boot = "boot-1";
    ++shim.run;
    shim.running = true;
    append(shim, line);
  }
  Result<void> leaveUnstarted(Shim& shim) {
    if (!std::exchange(leaves_, false)) {
      return {};
    }
    JournalLine line;
    line.what = JournalLine::What::End;
    append(shim, line);
    shim.alive = false;
    return Error{ErrorKind::Unavailable, "no shim"};
  }
  void news(const std::string& id) {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      told = shims_[id].on_news;
    }
    if (told) {
      told();
    }
  }
  void leave(const std::string& id) {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      if (!shims_[id].alive) {
        told = std::exchange(shims_[id].on_gone, nullptr);
        shims_[id].on_news = nullptr;
      }
    }
    if (told) {
      told();
    }
  }

  mutable std::mutex mutex_;  // guards all but mortal_
  std::condition_variable left_;
  int reserving_ = 0;
  std::map<std::string, Shim> shims_;
  std::optional<std::pair<Error, int>> next_failure_;
  std::optional<Error> limits_failure_;
  bool leaves_ = false;
  std::vector<std::string> calls_;
  int last_pid_ = 1'000'000'000;  // beyond any real process
  std::atomic<bool> mortal_{true};
};

}  // namespace flotilla::engine::testing_support
