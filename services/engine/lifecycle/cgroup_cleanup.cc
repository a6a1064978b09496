#include "engine/lifecycle/cgroup_cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <system_error>
#include <vector>

#include "common/os/atomic_file.h"
#include "common/os/directory.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMount = "/sys/fs/cgroup";

/// Links are none.
std::vector<fs::path> subdirectories(const fs::path& directory) {
  std::vector<fs::path> found;
  if (const auto names = entryNames(directory); names) {
    for (const std::string& name : *names) {
      std::error_code failed;
      if (fs::symlink_status(directory / name, failed).type() == fs::file_type::directory) {
        found.push_back(directory / name);
      }
    }
  }
  return found;
}

/// The cgroup's directory in every hierarchy that is mounted where hosts mount them.
std::vector<fs::path> directoriesOf(const std::string& cgroup_path) {
  const std::string relative = cgroup_path.substr(cgroup_path.starts_with('/') ? 1 : 0);
  std::vector<fs::path> candidates = {fs::path(kMount) / relative};
  for (const fs::path& hierarchy : subdirectories(kMount)) {
    candidates.push_back(hierarchy / relative);
  }
  std::erase_if(candidates, [](const fs::path& path) {
    std::error_code ignored;
    return !fs::exists(path / "cgroup.procs", ignored);
  });
  return candidates;
}

void write(const fs::path& path, const char* text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd) {
    // Absent or refused: the signals below do the same work more slowly.
    [[maybe_unused]] const ssize_t written =
        ::write(fd.get(), text, std::char_traits<char>::length(text));
  }
}

void killAll(const fs::path& directory) {
  write(directory / "cgroup.kill", "1");
  write(directory / "cgroup.freeze", "0");
  write(directory / "freezer.state", "THAWED");
  const auto procs = readFile(directory / "cgroup.procs");
  std::istringstream lines(procs ? *procs : "");
  for (pid_t pid = 0; lines >> pid;) {
    if (pid > 1) {
      ::kill(pid, SIGKILL);
    }
  }
}

/// Sub-groups (a systemd or docker inside) first.
void removeTree(const fs::path& directory) {
  for (const fs::path& inner : subdirectories(directory)) {
    killAll(inner);
    removeTree(inner);
  }
  ::rmdir(directory.c_str());
}

}  // namespace

bool removeCgroup(const std::string& cgroup_path) {
  bool gone = true;
  for (const fs::path& directory : directoriesOf(cgroup_path)) {
    killAll(directory);
    removeTree(directory);
    std::error_code ignored;
    gone = gone && !fs::exists(directory, ignored);
  }
  return gone;
}

}  // namespace flotilla::engine
