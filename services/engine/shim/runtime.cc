#include "engine/shim/runtime.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "common/os/unique_fd.h"

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

std::string workingDirectory() {
  std::array<char, 4096> buffer;
  return ::getcwd(buffer.data(), buffer.size()) == nullptr ? std::string(".") : buffer.data();
}

}  // namespace

Runtime::Runtime(const LaunchSpec& spec) : spec_(spec), directory_(workingDirectory()) {}

std::string Runtime::file(const std::string& name, const char* suffix) const {
  return directory_ + "/" + name + suffix;
}

std::vector<std::string> Runtime::base(const std::string& name) const {
  return {spec_.runtime,  "--root", spec_.runtime_root, "--log", file(name, ".runtime.log"),
          "--log-format", "json"};
}

Result<pid_t> Runtime::run(const StdioFds& stdio, const std::string& console) const {
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
  return spawn(arguments, stdio);
}

Result<pid_t> Runtime::exec(const std::string& name, const std::string& process_file,
                            const StdioFds& stdio, const std::string& console) const {
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
  return spawn(arguments, stdio);
}

Result<pid_t> Runtime::spawn(const std::vector<std::string>& arguments,
                             const StdioFds& stdio) const {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, stdio.in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, stdio.out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, stdio.err, 2);
  if (spec_.has_netns) {
    // config.json names it /proc/self/fd/4; the runtime keeps it from the container.
    ::posix_spawn_file_actions_adddup2(&actions, kNetnsFd, kNetnsFd);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 2> environment{path.data(), nullptr};
  pid_t pid = -1;
  const int err = ::posix_spawn(&pid, spec_.runtime.c_str(), &actions, &attributes, argv.data(),
                                environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (err != 0) {
    return sysError("start the container runtime " + spec_.runtime, err);
  }
  return pid;
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
