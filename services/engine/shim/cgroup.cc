#include "engine/shim/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>

#include "common/os/unique_fd.h"

namespace flotilla::engine::shim {
namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";

std::string readAll(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> buffer;
  while (fd) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

bool writeText(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool hasType(const std::string& path, long magic) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == magic;
}

bool isUnified() { return hasType(kRoot, CGROUP2_SUPER_MAGIC); }

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Names of the real directories in `path` (symlinks such as cpu -> cpu,cpuacct are left out).
std::vector<std::string> subdirectories(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(path.c_str()));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") {
      names.push_back(name);
    }
  }
  return names;
}

void collectPids(const std::string& directory, std::vector<int>& out) {
  const std::string text = readAll(directory + "/cgroup.procs");
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    int pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error != std::errc()) {
      break;
    }
    if (pid > 0) {
      out.push_back(pid);
    }
    at = next + 1;
  }
  for (const std::string& name : subdirectories(directory)) {
    collectPids(directory + "/" + name, out);
  }
}

/// Removes `directory` and what is below it, deepest first. False while something is busy.
bool removeTree(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) {
    return true;
  }
  for (const std::string& name : subdirectories(directory)) {
    removeTree(directory + "/" + name);
  }
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
}

long counter(const std::string& text, const std::string& name) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, name.size() + 1, name + " ") == 0) {
      long value = 0;
      std::from_chars(text.data() + at + name.size() + 1, text.data() + end, value);
      return value;
    }
    at = end + 1;
  }
  return 0;
}

}  // namespace

Cgroup::Cgroup(const std::string& path) : unified_(isUnified()) {
  if (path.empty() || path.front() != '/' || path == "/") {
    return;
  }
  if (unified_) {
    directories_.push_back(path.substr(1));
    return;
  }
  for (const std::string& name : subdirectories(kRoot)) {
    // The hybrid layout's `unified` is hidden from the runtime, which so has nothing there.
    if (hasType(std::string(kRoot) + "/" + name, CGROUP_SUPER_MAGIC)) {
      directories_.push_back(name + path);
    }
  }
}

std::string Cgroup::absolute(const std::string& directory) const {
  const std::string root =
      original_ ? "/proc/self/fd/" + std::to_string(original_.get()) : std::string(kRoot);
  return root + "/" + directory;
}

std::string Cgroup::hierarchy(const std::string& controller) const {
  if (directories_.empty() || unified_) {
    return directories_.empty() ? std::string() : absolute(directories_.front());
  }
  for (const std::string& directory : directories_) {
    const std::string name = directory.substr(0, directory.find('/'));
    if (("," + name + ",").find("," + controller + ",") != std::string::npos) {
      return absolute(directory);
    }
  }
  return {};
}

std::vector<int> Cgroup::pids() const {
  std::vector<int> out;
  for (const char* controller : {"pids", "memory", "freezer", "devices"}) {
    const std::string directory = hierarchy(controller);
    if (!directory.empty() && ::access(directory.c_str(), F_OK) == 0) {
      collectPids(directory, out);
      break;
    }
  }
  return out;
}

void Cgroup::killAll() const {
  if (directories_.empty() || (unified_ && writeText(hierarchy({}) + "/cgroup.kill", "1"))) {
    return;
  }
  // What forks between the reading and the killing is found in the next round.
  for (int round = 0; round < 10; ++round) {
    const std::vector<int> found = pids();
    if (found.empty()) {
      return;
    }
    for (const int pid : found) {
      ::kill(pid, SIGKILL);
    }
  }
}

bool Cgroup::oomKilled() const {
  const std::string directory = hierarchy("memory");
  if (directory.empty()) {
    return false;
  }
  return counter(readAll(directory + (unified_ ? "/memory.events" : "/memory.oom_control")),
                 "oom_kill") > 0;
}

bool Cgroup::frozen() const {
  const std::string directory = hierarchy("freezer");
  return unified_ ? counter(readAll(directory + "/cgroup.events"), "frozen") == 1
                  : readAll(directory + "/freezer.state").starts_with("FROZEN");
}

Result<void> Cgroup::freeze(bool wanted) const {
  const std::string directory = hierarchy("freezer");
  const bool written = unified_
                           ? writeText(directory + "/cgroup.freeze", wanted ? "1" : "0")
                           : writeText(directory + "/freezer.state", wanted ? "FROZEN" : "THAWED");
  if (directory.empty() || !written) {
    return sysError("freeze " + directory, errno);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (frozen() != wanted) {
    if (std::chrono::steady_clock::now() > deadline) {
      if (wanted) {
        // Else whatever enters the cgroup later freezes, a child that the shim waits for as well.
        (void)freeze(false).has_value();
      }
      return Error{ErrorKind::DeadlineExceeded, "the container's processes cannot be frozen"};
    }
    ::usleep(1000);
  }
  return {};
}

Result<void> Cgroup::liftPidsLimit() const {
  const std::string path = hierarchy("pids") + "/pids.max";
  return writeText(path, "max") ? Result<void>{} : Result<void>{sysError("write " + path, errno)};
}

bool Cgroup::remove() const {
  bool gone = true;
  for (const std::string& directory : directories_) {
    gone = removeTree(absolute(directory)) && gone;
  }
  return gone;
}

Result<CgroupEntrance> Cgroup::entrance() const {
  CgroupEntrance out;
  for (const std::string& directory : directories_) {
    const std::string path = absolute(directory) + (unified_ ? "" : "/tasks");
    UniqueFd fd(::open(path.c_str(), (unified_ ? O_RDONLY | O_DIRECTORY : O_WRONLY) | O_CLOEXEC));
    if (!fd) {
      return sysError("open " + path, errno);
    }
    if (unified_) {
      out.unified = std::move(fd);
    } else {
      out.tasks.push_back(std::move(fd));
    }
  }
  if (directories_.empty()) {
    return Error{ErrorKind::Internal, "the container has no cgroup"};
  }
  return out;
}

Result<void> Cgroup::hideMembers() {
  if (original_) {
    return {};
  }
  UniqueFd original(::open(kRoot, O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd copy(
      ::open_tree(AT_FDCWD, kRoot, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!original || !copy ||
      ::move_mount(copy.get(), "", AT_FDCWD, kRoot, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return sysError("mount a copy of " + std::string(kRoot), errno);
  }
  original_ = std::move(original);
  for (const std::string& directory : directories_) {
    const std::string path = std::string(kRoot) + "/" + directory + "/cgroup.procs";
    if (::mount("/dev/null", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      Error error = sysError("cover " + path, errno);
      showMembers();
      return error;
    }
  }
  return {};
}

void Cgroup::showMembers() {
  if (original_) {
    ::umount2(kRoot, MNT_DETACH);
    original_.reset();
  }
}

void leaveCgroup() {
  const bool unified = isUnified();
  const std::string self = readAll("/proc/self/cgroup");
  std::size_t at = 0;
  while (at < self.size()) {
    const std::size_t end = std::min(self.find('\n', at), self.size());
    const std::string line = self.substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos || line.substr(second + 1) == "/") {
      continue;
    }
    std::string name = line.substr(first + 1, second - first - 1);
    if (name.starts_with("name=")) {
      name.erase(0, 5);
    }
    if (name.empty() && !unified) {
      name = "unified";
    }
    // One thread moving itself is not waited for by the kernel; only v1 has a file for that.
    const char* file = unified || name == "unified" ? "/cgroup.procs" : "/tasks";
    writeText(std::string(kRoot) + (name.empty() ? "" : "/" + name) + file, "0");
  }
}

}  // namespace flotilla::engine::shim
