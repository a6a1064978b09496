#include "engine/shim/runtime.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/os/atomic_file.h"
#include "common/os/carried_program.h"
#include "engine/shim/process_spec.h"

namespace flotilla::engine::shim {
namespace {

constexpr const char* kBpfAnnotation = "run.oci.seccomp_bpf_data";
constexpr const char* kLogSuffix = ".runtime.log";
constexpr std::size_t kLongestOutcome = 64 * 1024;
constexpr std::size_t kLongestPiped = 1 << 20;

std::string readFromStart(int fd) {
  std::string text;
  std::array<char, 2048> buffer;
  while (text.size() < kLongestOutcome) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string takeFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text = fd ? readFromStart(fd.get()) : std::string();
  ::unlink(path.c_str());
  return text;
}

Result<void> writeAll(int fd, std::string_view text, const std::string& what) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno != EINTR) {
      return sysError("write " + what, errno);
    }
    text.remove_prefix(wrote > 0 ? static_cast<std::size_t>(wrote) : 0);
  }
  return {};
}

Result<UniqueFd> memoryFile(const char* name) {
  constexpr unsigned kNotToBeExecuted = 8;  // MFD_NOEXEC_SEAL: since Linux 6.3
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | kNotToBeExecuted));
  if (!fd && errno == EINVAL) {
    fd.reset(::memfd_create(name, MFD_CLOEXEC));
  }
  return fd ? Result<UniqueFd>(std::move(fd)) : sysError("memfd_create", errno);
}

/// A path of a descriptor that the runtime inherits.
std::string inherited(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

void addExec(std::vector<std::string>& arguments, const std::string& process,
             const std::string& pid_file, const std::string& console) {
  arguments.insert(arguments.end(),
                   {"exec", "--detach", "--process", process, "--pid-file", pid_file});
  if (!console.empty()) {
    arguments.insert(arguments.end(), {"--console-socket", console});
  }
}

std::string_view fileName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// `path` in a read-only mount of its own that no path leads to. Nothing when the kernel refuses.
/// A container that gets hold of the running crun must not be able to change the file; crun makes
/// sure by such a mount of itself, into which it starts a second time, unless it finds itself in
/// one.
UniqueFd openReadOnly(const std::string& path) {
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (tree &&
      ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0) {
    tree.reset();
  }
  return tree;
}

std::string workingDirectory() {
  std::array<char, 4096> buffer;
  return ::getcwd(buffer.data(), buffer.size()) == nullptr ? std::string(".") : buffer.data();
}

}  // namespace

Runtime::Runtime(const LaunchSpec& spec, Cgroup& cgroup)
    : spec_(spec),
      cgroup_(cgroup),
      directory_(workingDirectory()),
      is_crun_(fileName(spec.runtime).starts_with("crun")) {}

std::string Runtime::file(const std::string& name, const char* suffix) const {
  return directory_ + "/" + name + suffix;
}

std::vector<std::string> Runtime::base(const std::string& log) const {
  std::vector<std::string> arguments = commandOf(spec_.runtime);
  arguments.insert(arguments.end(),
                   {"--root", spec_.runtime_root, "--log", log, "--log-format", "json"});
  return arguments;
}

Result<pid_t> Runtime::run(const StdioFds& stdio, const std::string& console) {
  std::vector<std::string> arguments = base(file("run", kLogSuffix));
  for (const char* word : {"run", "--detach", "--bundle"}) {
    arguments.emplace_back(word);
  }
  arguments.push_back(spec_.bundle);
  arguments.emplace_back("--pid-file");
  arguments.push_back(file("run", ".pid"));
  if (!console.empty()) {
    arguments.emplace_back("--console-socket");
    arguments.push_back(console);
  }
  arguments.push_back(spec_.container_id);
  cgroup_.showMembers();
  lightened_ = false;
  return spawn(request(std::move(arguments), stdio));
}

/// crun parses its copy of config.json at each exec. Most of it is the seccomp program, which crun
/// took out at the start and has in a file of its own.
void Runtime::lighten() {
  if (!std::exchange(lightened_, true)) {
    // Without it an exec is slower, no more.
    (void)dropAnnotation(spec_.runtime_root + "/" + spec_.container_id + "/config.json",
                         kBpfAnnotation)
        .has_value();
  }
}

Result<pid_t> Runtime::exec(const std::string& name, const std::string& process,
                            const StdioFds& stdio, const std::string& console) {
  if (!is_crun_) {
    return execByFiles(name, process, stdio, console);
  }
  FLO_TRY_ASSIGN(const UniqueFd text, memoryFile("process"));
  FLO_TRY(writeAll(text.get(), process, "the process"));
  Papers papers;
  FLO_TRY_ASSIGN(papers.pid, memoryFile("pid"));
  FLO_TRY_ASSIGN(papers.log, memoryFile("log"));
  return execByPapers(name, text.get(), std::move(papers), stdio, console);
}

Result<pid_t> Runtime::execByFiles(const std::string& name, const std::string& process,
                                   const StdioFds& stdio, const std::string& console) {
  const std::string path = file(name, ".json");
  FLO_TRY(writeFileAtomically(path, process, 0600, Durability::Cached));
  std::vector<std::string> arguments = base(file(name, kLogSuffix));
  addExec(arguments, path, file(name, ".pid"), console);
  arguments.push_back(spec_.container_id);
  return spawn(request(std::move(arguments), stdio));
}

Result<pid_t> Runtime::execByPapers(const std::string& name, int process, Papers papers,
                                    const StdioFds& stdio, const std::string& console) {
  lighten();
  std::vector<std::string> arguments = base(inherited(papers.log.get()));
  addExec(arguments, inherited(process), inherited(papers.pid.get()), console);
  arguments.push_back(spec_.container_id);
  SpawnRequest call = request(std::move(arguments), stdio);
  for (const int fd : {process, papers.pid.get(), papers.log.get()}) {
    call.inherit.push_back(fd);
  }
  auto pid = spawnInside(call);
  if (!pid && !papers.process) {
    // A cgroup of v2 with processes in cgroups below it takes none itself: crun knows where else.
    cgroup_.showMembers();
    pid = spawn(call);
  }
  if (pid) {
    papers_[name] = std::move(papers);
  }
  return pid;
}

Result<pid_t> Runtime::beginExec(const std::string& name, const StdioFds& stdio,
                                 const std::string& console) {
  if (!is_crun_) {
    return Error{ErrorKind::Unavailable, "only crun waits for its process"};
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return sysError("pipe", errno);
  }
  const UniqueFd reader(ends[0]);
  Papers papers;
  papers.process.reset(ends[1]);
  FLO_TRY_ASSIGN(papers.pid, memoryFile("pid"));
  FLO_TRY_ASSIGN(papers.log, memoryFile("log"));
  return execByPapers(name, reader.get(), std::move(papers), stdio, console);
}

bool Runtime::hasRoom(const std::string& name, std::size_t length) {
  const auto found = papers_.find(name);
  if (found == papers_.end() || length > kLongestPiped) {
    return false;
  }
  const int pipe = found->second.process.get();
  const int wanted = static_cast<int>(length);
  return ::fcntl(pipe, F_GETPIPE_SZ) >= wanted || ::fcntl(pipe, F_SETPIPE_SZ, wanted) >= wanted;
}

Result<void> Runtime::proceed(const std::string& name, const std::string& process) {
  const auto found = papers_.find(name);
  const UniqueFd pipe = found == papers_.end() ? UniqueFd() : std::move(found->second.process);
  return writeAll(pipe.get(), process, "the process to " + spec_.runtime);
}

Result<pid_t> Runtime::update(const std::string& resources) {
  const std::string path = file("update", ".json");
  FLO_TRY(writeFileAtomically(path, resources, 0600, Durability::Cached));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<std::string> arguments = base(file("update", kLogSuffix));
  arguments.insert(arguments.end(), {"update", "--resources", path, spec_.container_id});
  return spawn(request(std::move(arguments), {null.get(), null.get(), null.get()}));
}

SpawnRequest Runtime::request(std::vector<std::string> arguments, const StdioFds& stdio) {
  SpawnRequest out;
  out.arguments = std::move(arguments);
  out.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  out.stdio = stdio;
  // config.json names it /proc/self/fd/4; the runtime keeps it from the container.
  if (spec_.has_netns) {
    out.inherit.push_back(kNetnsFd);
  }
  if (is_crun_) {
    if (!program_) {
      program_ = openReadOnly(out.arguments.front());  // crun, or the loader that it came with
    }
    if (program_) {
      out.program = program_.get();
      out.environment.emplace_back("_LIBCONTAINER_CLONED_BINARY=1");
    }
  }
  return out;
}

/// crun moves the new process into the cgroup, which takes longer than all the rest of an exec. So
/// crun itself is born there, and its own attempt leads nowhere.
Result<pid_t> Runtime::spawnInside(SpawnRequest request) {
  FLO_TRY_ASSIGN(const auto entrance, cgroup_.entrance());
  FLO_TRY(cgroup_.hideMembers());
  request.entrance = &entrance;
  return spawn(request);
}

Runtime::Outcome Runtime::takeOutcome(const std::string& name) {
  Outcome outcome;
  std::string pid;
  if (const auto papers = papers_.extract(name)) {
    pid = readFromStart(papers.mapped().pid.get());
    outcome.log = readFromStart(papers.mapped().log.get());
  } else {
    pid = takeFile(file(name, ".pid"));
    outcome.log = takeFile(file(name, kLogSuffix));
    ::unlink(file(name, ".json").c_str());
  }
  std::from_chars(pid.data(), pid.data() + pid.size(), outcome.pid);
  return outcome;
}

void Runtime::removeState() const {
  std::error_code ignored;  // nothing there is as good
  std::filesystem::remove_all(spec_.runtime_root + "/" + spec_.container_id, ignored);
}

}  // namespace flotilla::engine::shim
