#include "engine/runtime/cgroup_readiness.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string_view>

#include "common/log/log.h"
#include "common/os/atomic_file.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kRoot = "/sys/fs/cgroup/";
constexpr std::size_t kMaxList = 1U << 20U;

bool lists(const std::string& path, const std::string& number) {
  const auto text = readFile(path, kMaxList);
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    if (line == number) {
      return true;
    }
  }
  return false;
}

std::optional<CgroupStay> stayAt(const std::string& path, std::string number) {
  if (!lists(path, number)) {
    return std::nullopt;
  }
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file ? std::optional(CgroupStay{std::move(file), std::move(number)}) : std::nullopt;
}

}  // namespace

/// A line of /proc/self/cgroup is "number:controllers:path"; cgroup v2's has no controllers, and
/// only a whole process can move there.
std::optional<CgroupStay> findCgroupStay() {
  const auto text = readFile("/proc/thread-self/cgroup", kMaxList);
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1) + "/";
    if (controllers.starts_with("name=")) {
      controllers.erase(0, 5);
    }
    auto found =
        controllers.empty()
            ? stayAt(std::string(kRoot) + path + "cgroup.procs", std::to_string(::getpid()))
            : stayAt(std::string(kRoot) + controllers + path + "tasks", std::to_string(::gettid()));
    if (found) {
      return found;
    }
  }
  return std::nullopt;
}

bool stay(const CgroupStay& where) {
  const auto size = static_cast<ssize_t>(where.number.size());
  return ::write(where.file.get(), where.number.data(), where.number.size()) == size;
}

CgroupReadiness::CgroupReadiness(Options options)
    : options_(options), thread_([this] { serve(); }) {}

CgroupReadiness::~CgroupReadiness() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CgroupReadiness::expectMove() {
  const auto until = Clock::now() + options_.window;
  bool resting = false;
  {
    const std::lock_guard lock(mutex_);
    resting = until_ < Clock::now();
    until_ = until;
  }
  if (resting) {
    changed_.notify_all();
  }
}

void CgroupReadiness::serve() {
  ::prctl(PR_SET_NAME, "flo-cgroups");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || until_ > Clock::now(); });
    if (stopping_) {
      return;
    }
    lock.unlock();
    // Looked for each time: a service manager may have moved this process meanwhile.
    const auto where = findCgroupStay();
    lock.lock();
    while (where && !stopping_ && until_ > Clock::now()) {
      lock.unlock();
      const bool stayed = stay(*where);
      lock.lock();
      if (!stayed) {
        break;
      }
      changed_.wait_for(lock, options_.step, [this] { return stopping_; });
    }
    if (!stopping_ && until_ > Clock::now()) {
      log::debug("the kernel cannot be kept ready to move processes between cgroups");
      until_ = Clock::time_point{};
    }
  }
}

}  // namespace flotilla::engine
