#include "engine/lifecycle/shim_runtime.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "common/os/atomic_file.h"
#include "common/os/directory.h"
#include "common/os/file_lock.h"
#include "engine/lifecycle/bind_source.h"
#include "engine/lifecycle/cgroup_cleanup.h"
#include "engine/lifecycle/process_signal.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kLaunchTimeout{20'000};
constexpr milliseconds kGoTimeout{120'000};
constexpr milliseconds kPredecessorTimeout{15'000};

Result<void> writeInput(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return sysError("write " + path, errno);
  }
  return {};
}

}  // namespace

struct ShimRuntime::Watched : std::enable_shared_from_this<Watched> {
  std::function<void()> on_news, on_gone;
  std::unique_ptr<ShimWatch> watch;
};

ShimRuntime::ShimRuntime(const Paths& paths, Reactor& reactor, Options options)
    : paths_(paths), reactor_(reactor), options_(std::move(options)) {}

ShimRuntime::~ShimRuntime() = default;

Result<UniqueFd> ShimRuntime::reserve(const std::string& id) {
  const std::string path = paths_.runContainer(id) + "/shim.lock";
  const auto deadline = SteadyClock::now() + kPredecessorTimeout;
  auto pause = std::chrono::microseconds(200);
  while (true) {
    // Opened anew each time: the clean-up after an earlier run may have removed the file.
    ::mkdir(paths_.runContainer(id).c_str(), 0710);  // the group is that of the folder above
    UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0 && isStill(lock.get(), path)) {
      return lock;
    }
    if (!lock && errno != ENOENT) {
      return sysError("open " + path, errno);
    }
    if (SteadyClock::now() >= deadline) {
      return Error{ErrorKind::Unavailable, "container " + id +
                                               " cannot be started: the shim of its"
                                               " last run has not left yet"};
    }
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::microseconds>(pause * 2, milliseconds(20));
  }
}

Result<void> ShimRuntime::launch(LaunchRequest request) {
  const std::string& id = request.spec.container_id;
  ShimDescriptors descriptors;
  descriptors.lock = std::move(request.lock);
  for (std::size_t i = 0; i < request.binds.size(); ++i) {
    const BindSource& bind = request.binds[i];
    FLO_TRY_ASSIGN(auto opened,
                   openBindSource(bind.path, bind.make_directory ? MissingSource::MakeDirectory
                                                                 : MissingSource::Refuse));
    request.spec.binds.at(i).is_directory = opened.is_directory;
    descriptors.bind_trees.push_back(std::move(opened.tree));
  }
  request.spec.has_netns = request.netns.has_value();
  request.spec.port_fds = static_cast<unsigned>(request.port_holders.size());
  descriptors.netns = std::move(request.netns);
  descriptors.port_holders = std::move(request.port_holders);
  FLO_TRY(writeInput(request.spec.bundle + "/config.json", request.config_json));
  return client(id).launch(options_.shim_path, request.spec, std::move(descriptors),
                           kLaunchTimeout);
}

bool ShimRuntime::alive(const std::string& id) { return client(id).alive(); }

Result<void> ShimRuntime::go(const std::string& id, unsigned run) {
  FLO_TRY(client(id).go(kGoTimeout, run));
  return {};
}

void ShimRuntime::end(const std::string& id) {
  // One that is already gone needs no ending.
  static_cast<void>(client(id).end().has_value());
}

void ShimRuntime::abandon(const std::string& id) {
  end(id);
  static_cast<void>(client(id).stopping(true).has_value());
  static_cast<void>(removeCgroup(cgroupPath(id)));  // kills; the shim removes what is left
}

Result<void> ShimRuntime::stopping(const std::string& id) { return client(id).stopping(true); }

Result<void> ShimRuntime::setRestartPolicy(const std::string& id,
                                           const shim::RestartPolicy& policy) {
  return client(id).restartPolicy(policy);
}

Result<void> ShimRuntime::setLimits(const std::string& id, const std::string& limits) {
  return client(id).limits(limits);
}

Result<void> ShimRuntime::signal(const ProcessRef& process, int signal_number) {
  return signalProcess(process, signal_number);
}

Result<void> ShimRuntime::pause(const std::string& id) { return client(id).pause(); }
Result<void> ShimRuntime::resume(const std::string& id) { return client(id).resume(); }
Result<std::vector<int>> ShimRuntime::pids(const std::string& id) { return client(id).pids(); }

Result<std::vector<JournalLine>> ShimRuntime::journal(const std::string& id,
                                                      std::uint64_t after_seq) {
  return readJournal(paths_.journal(id), after_seq);
}

Result<void> ShimRuntime::watch(const std::string& id, std::function<void()> on_news,
                                std::function<void()> on_gone) {
  if (!alive(id)) {
    return Error{ErrorKind::Unavailable, "the container's shim is not running"};
  }
  auto watched = std::make_shared<Watched>();
  watched->on_news = std::move(on_news);
  watched->on_gone = std::move(on_gone);
  {
    const std::lock_guard lock(watched_mutex_);
    watched_.insert(id);
  }
  reactor_.post([this, id, watched] { openWatch(id, watched); });
  return {};
}

bool ShimRuntime::watching(const std::string& id) {
  const std::lock_guard lock(watched_mutex_);
  return watched_.contains(id);
}

void ShimRuntime::forget(const std::string& id) {
  const std::lock_guard lock(watched_mutex_);
  watched_.erase(id);
}

void ShimRuntime::openWatch(const std::string& id, const std::shared_ptr<Watched>& watched) {
  auto opened = ShimWatch::open(
      reactor_, paths_.runContainer(id),
      [watched = watched.get()](std::uint64_t) { watched->on_news(); },
      [this, id, watched = watched.get()] { endWatch(id, watched); });
  if (!opened) {
    forget(id);
    watched->on_gone();
    return;
  }
  watched->watch = std::move(*opened);
  watches_.insert(watched);
  current_[id] = watched.get();
}

void ShimRuntime::endWatch(const std::string& id, Watched* watched) {
  const auto current = current_.find(id);
  if (current != current_.end() && current->second == watched) {
    current_.erase(current);
    forget(id);
  }
  watched->on_gone();
  // The watch that is calling may not be destroyed before it returns.
  const auto ended = watched->shared_from_this();
  watches_.erase(ended);
  reactor_.post([ended] {});
}

void ShimRuntime::consumed(const std::string& id, std::uint64_t seq) {
  reactor_.post([this, id, seq] {
    const auto watched = current_.find(id);
    if (watched != current_.end()) {
      watched->second->watch->consumed(seq);
    }
  });
}

bool ShimRuntime::cleanUp(const std::string& id) {
  const std::string run_dir = paths_.runContainer(id);
  // Holding the shim's lock keeps a start from launching into what is being removed.
  const UniqueFd lock(::open((run_dir + "/shim.lock").c_str(), O_RDWR | O_CLOEXEC));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return false;
  }
  const bool gone = removeCgroup(cgroupPath(id));
  std::error_code ignored;
  fs::remove_all(paths_.runtimeRoot() + "/" + id, ignored);
  fs::remove_all(run_dir, ignored);
  return gone;
}

std::vector<std::string> ShimRuntime::known() {
  auto ids = entryNames(paths_.runContainers());
  return ids ? *std::move(ids) : std::vector<std::string>{};
}

Result<StreamEndpoint> ShimRuntime::attach(const std::string& id, const AttachOptions& options) {
  return client(id).attach(options);
}

Result<void> ShimRuntime::resize(const std::string& id, unsigned height, unsigned width) {
  return client(id).resize(height, width);
}

void ShimRuntime::execPrepare(const std::string& id, const ExecStart& start) {
  client(id).execPrepare(start);
}

Result<StreamEndpoint> ShimRuntime::execStart(const std::string& id, ExecStart start,
                                              const std::string& process_json) {
  start.process_file = paths_.runContainer(id) + "/exec-" + start.exec_id + ".json";
  FLO_TRY(writeInput(start.process_file, process_json));
  auto started = client(id).execStart(start);
  ::unlink(start.process_file.c_str());  // the shim has read it when it answers
  return started;
}

Result<ExecState> ShimRuntime::execState(const std::string& id, const std::string& exec_id) {
  return client(id).execState(exec_id);
}

Result<void> ShimRuntime::execResize(const std::string& id, const std::string& exec_id,
                                     unsigned height, unsigned width) {
  return client(id).execResize(exec_id, height, width);
}

}  // namespace flotilla::engine
