#include "engine/worker/host_entry.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/log/log.h"
#include "common/os/atomic_file.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

/// The folder in host/ beside this program.
Result<fs::path> programsOfImage() {
  std::error_code failed;
  const fs::path folder = fs::read_symlink("/proc/self/exe", failed).parent_path() / "host";
  fs::directory_iterator at(folder, failed);
  if (failed || at == fs::directory_iterator()) {
    return Error{
        ErrorKind::InvalidArgument,
        "--enter-host is for the engine's image: there are no programs in " + folder.string()};
  }
  return at->path();
}

struct Namespaces {
  UniqueFd mount, cgroup;
};

/// Those of a process that sees other files than we do, and that we may look at.
std::optional<Namespaces> otherNamespaces(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/ns/";
  Namespaces found{UniqueFd(::open((folder + "mnt").c_str(), O_RDONLY | O_CLOEXEC)),
                   UniqueFd(::open((folder + "cgroup").c_str(), O_RDONLY | O_CLOEXEC))};
  struct stat ours {};
  struct stat theirs {};
  const bool other = found.mount && found.cgroup && ::fstat(found.mount.get(), &theirs) == 0 &&
                     ::stat("/proc/self/ns/mnt", &ours) == 0 && ours.st_ino != theirs.st_ino;
  return other ? std::optional<Namespaces>(std::move(found)) : std::nullopt;
}

pid_t parentOf(pid_t pid) {
  const auto text = readFile("/proc/" + std::to_string(pid) + "/stat", 4096);
  const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
  pid_t parent = 0;
  if (name_end != std::string::npos && name_end + 4 < text->size()) {
    std::from_chars(text->data() + name_end + 4, text->data() + text->size(),
                    parent);  // ") S 4711 ..."
  }
  return parent;
}

Result<Namespaces> findHost() {
  if (auto first = otherNamespaces(1)) {
    return *std::move(first);
  }
  // A hardened process 1 may not be looked at. What started the container is the host's as well.
  for (pid_t pid = ::getppid(); pid > 1; pid = parentOf(pid)) {
    if (auto outer = otherNamespaces(pid)) {
      return *std::move(outer);
    }
  }
  return Error{
      ErrorKind::InvalidArgument,
      "--enter-host: no process of the host can be seen; the container needs the host's pids (pid: host)"
      " and the capability SYS_PTRACE"};
}

}  // namespace

std::string HostEntry::ofContainer(const std::string& path) const {
  return "/proc/self/fd/" + std::to_string(container_root.get()) + path;
}

Result<HostEntry> enterHost(const Paths& paths) {
  FLO_TRY_ASSIGN(const Namespaces host, findHost());
  FLO_TRY_ASSIGN(const fs::path source, programsOfImage());
  HostEntry entry{{}, UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC))};
  if (!entry.container_root) {
    return sysError("open /", errno);
  }
  if (::setns(host.cgroup.get(), CLONE_NEWCGROUP) != 0 ||
      ::setns(host.mount.get(), CLONE_NEWNS) != 0) {
    return sysError("enter the host's namespaces", errno);
  }
  const ProgramStore store(paths.programs());
  FLO_TRY_ASSIGN(entry.programs,
                 store.place(entry.ofContainer(source), source.filename().string()));
  store.removeUnused();
  log::info("works on the host", {{"programs", entry.programs.folder}});
  return entry;
}

}  // namespace flotilla::engine
