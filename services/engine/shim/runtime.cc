#include "engine/shim/runtime.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/os/carried_program.h"

namespace flotilla::engine::shim {
namespace {

std::string takeFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 2048> buffer;
  while (fd && text.size() < 64 * 1024) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::unlink(path.c_str());
  return text;
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

std::vector<std::string> Runtime::base(const std::string& name) const {
  std::vector<std::string> arguments = commandOf(spec_.runtime);
  arguments.insert(arguments.end(), {"--root", spec_.runtime_root, "--log",
                                     file(name, ".runtime.log"), "--log-format", "json"});
  return arguments;
}

Result<pid_t> Runtime::run(const StdioFds& stdio, const std::string& console) {
  std::vector<std::string> arguments = base("run");
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
  return spawn(request(std::move(arguments), stdio));
}

Result<pid_t> Runtime::exec(const std::string& name, const std::string& process_file,
                            const StdioFds& stdio, const std::string& console) {
  std::vector<std::string> arguments = base(name);
  for (const char* word : {"exec", "--detach", "--process"}) {
    arguments.emplace_back(word);
  }
  arguments.push_back(process_file);
  arguments.emplace_back("--pid-file");
  arguments.push_back(file(name, ".pid"));
  if (!console.empty()) {
    arguments.emplace_back("--console-socket");
    arguments.push_back(console);
  }
  arguments.push_back(spec_.container_id);
  return spawnInside(request(std::move(arguments), stdio));
}

Result<pid_t> Runtime::update(const std::string& resources) {
  const std::string path = file("update", ".json");
  const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out || ::write(out.get(), resources.data(), resources.size()) !=
                  static_cast<ssize_t>(resources.size())) {
    return sysError("write " + path, errno);
  }
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<std::string> arguments = base("update");
  arguments.insert(arguments.end(), {"update", "--resources", path, spec_.container_id});
  return spawn(request(std::move(arguments), {null.get(), null.get(), null.get()}));
}

SpawnRequest Runtime::request(std::vector<std::string> arguments, const StdioFds& stdio) {
  SpawnRequest out;
  out.arguments = std::move(arguments);
  out.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  out.stdio = stdio;
  // config.json names it /proc/self/fd/4; the runtime keeps it from the container.
  out.inherit = spec_.has_netns ? kNetnsFd : -1;
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
  const auto entrance = cgroup_.entrance();
  if (is_crun_ && entrance && cgroup_.hideMembers()) {
    request.entrance = &*entrance;
    if (auto pid = spawn(request)) {
      return pid;
    }
    // A cgroup of v2 with processes in cgroups below it takes none itself: crun knows where else.
    cgroup_.showMembers();
    request.entrance = nullptr;
  }
  return spawn(request);
}

Runtime::Outcome Runtime::takeOutcome(const std::string& name) const {
  Outcome outcome;
  const std::string text = takeFile(file(name, ".pid"));
  std::from_chars(text.data(), text.data() + text.size(), outcome.pid);
  outcome.log = takeFile(file(name, ".runtime.log"));
  return outcome;
}

void Runtime::removeState() const {
  std::error_code ignored;  // nothing there is as good
  std::filesystem::remove_all(spec_.runtime_root + "/" + spec_.container_id, ignored);
}

}  // namespace flotilla::engine::shim
