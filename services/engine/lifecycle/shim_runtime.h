#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/event/reactor.h"
#include "engine/lifecycle/container_runtime.h"
#include "engine/runtime/cgroup_readiness.h"
#include "engine/store/paths.h"

namespace flotilla::engine {

/// Containers run by flotilla-shim on this host.
class ShimRuntime final : public ContainerRuntime, public ContainerSessions {
 public:
  struct Options {
    std::string shim_path;
  };

  /// `paths` and `reactor` outlive this; watches end on the reactor's thread or once it stopped.
  ShimRuntime(const Paths& paths, Reactor& reactor, Options options);
  ~ShimRuntime() override;
  ShimRuntime(const ShimRuntime&) = delete;
  ShimRuntime& operator=(const ShimRuntime&) = delete;

  void expectStart() override { cgroups_.expectMove(); }
  Result<UniqueFd> reserve(const std::string& id) override;
  Result<void> launch(LaunchRequest request) override;
  bool alive(const std::string& id) override;
  Result<void> go(const std::string& id, unsigned run) override;
  void end(const std::string& id) override;
  void abandon(const std::string& id) override;
  Result<void> stopping(const std::string& id) override;
  Result<void> setRestartPolicy(const std::string& id, const shim::RestartPolicy& policy) override;
  Result<void> setLimits(const std::string& id, const std::string& limits) override;
  Result<void> signal(const ProcessRef& process, int signal_number) override;
  Result<void> pause(const std::string& id) override;
  Result<void> resume(const std::string& id) override;
  Result<std::vector<int>> pids(const std::string& id) override;
  Result<std::vector<JournalLine>> journal(const std::string& id, std::uint64_t after_seq) override;
  Result<void> watch(const std::string& id, std::function<void()> on_news,
                     std::function<void()> on_gone) override;
  bool watching(const std::string& id) override;
  void consumed(const std::string& id, std::uint64_t seq) override;
  bool cleanUp(const std::string& id) override;
  std::vector<std::string> known() override;

  Result<StreamEndpoint> attach(const std::string& id, const AttachOptions& options) override;
  Result<void> resize(const std::string& id, unsigned height, unsigned width) override;
  void execPrepare(const std::string& id, const ExecStart& start) override;
  Result<StreamEndpoint> execStart(const std::string& id, ExecStart start,
                                   const std::string& process_json) override;
  Result<ExecState> execState(const std::string& id, const std::string& exec_id) override;
  Result<void> execResize(const std::string& id, const std::string& exec_id, unsigned height,
                          unsigned width) override;

 private:
  struct Watched;

  [[nodiscard]] ShimClient client(const std::string& id) const {
    return ShimClient(paths_.runContainer(id));
  }
  void openWatch(const std::string& id, const std::shared_ptr<Watched>& watched);
  void endWatch(const std::string& id, Watched* watched);
  void forget(const std::string& id);

  const Paths& paths_;
  Reactor& reactor_;
  const Options options_;
  CgroupReadiness cgroups_;
  std::set<std::shared_ptr<Watched>> watches_;  // reactor's thread only, as the next
  std::map<std::string, Watched*> current_;     // of watches_, by container: the latest
  std::mutex watched_mutex_;
  std::set<std::string>
      watched_;  // guarded by watched_mutex_; ids of current_ and of those to come
};

}  // namespace flotilla::engine
