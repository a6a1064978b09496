#include "tests/integration/shim/shim_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string shimPath() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/flotilla-shim";
}

json minimalConfig(const std::string& rootfs, const std::string& cgroup) {
  json config;
  config["ociVersion"] = "1.0.2";
  config["root"] = {{"path", rootfs}};
  config["hostname"] = "shimtest";
  config["process"] = {{"terminal", false},
                       {"cwd", "/"},
                       {"user", {{"uid", 0}, {"gid", 0}}},
                       {"env", {"PATH=/bin:/usr/bin"}},
                       {"oomScoreAdj", 0}};
  const json caps = {"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE"};
  config["process"]["capabilities"] = {
      {"bounding", caps}, {"effective", caps}, {"permitted", caps}};
  config["mounts"] = json::array({{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
                                  {{"destination", "/dev"},
                                   {"type", "tmpfs"},
                                   {"source", "tmpfs"},
                                   {"options", {"nosuid", "mode=755", "size=65536k"}}},
                                  {{"destination", "/dev/pts"},
                                   {"type", "devpts"},
                                   {"source", "devpts"},
                                   {"options", {"newinstance", "ptmxmode=0666", "mode=0620"}}}});
  config["linux"] = {{"cgroupsPath", cgroup},
                     {"namespaces",
                      {{{"type", "pid"}},
                       {{"type", "mount"}},
                       {{"type", "ipc"}},
                       {{"type", "uts"}},
                       {{"type", "network"}}}}};
  return config;
}

}  // namespace

std::string readWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool eventually(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::vector<std::string> cgroupLeftovers(const std::string& cgroup) {
  std::vector<std::string> found;
  std::error_code ignored;
  if (fs::exists("/sys/fs/cgroup" + cgroup, ignored)) {
    found.push_back("/sys/fs/cgroup" + cgroup);
  }
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup", ignored)) {
    const std::string path = entry.path().string() + cgroup;
    if (entry.is_directory() && fs::exists(path, ignored)) {
      found.push_back(path);
    }
  }
  return found;
}

StreamClient::StreamClient(const StreamEndpoint& endpoint)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = endpoint.address.substr(5);
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
      << path << ": " << errno;
  send(endpoint.ticket + "\n");
}

void StreamClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      ADD_FAILURE() << "send: " << errno;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void StreamClient::halfClose() { ::shutdown(fd_.get(), SHUT_WR); }

bool StreamClient::readable(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd poll_fd{fd_.get(), POLLIN, 0};
  return left.count() > 0 && ::poll(&poll_fd, 1, static_cast<int>(left.count())) > 0;
}

Output StreamClient::readAll(bool raw, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string all;
  std::vector<char> buffer(256 * 1024);
  while (true) {
    if (!readable(deadline)) {
      ADD_FAILURE() << "the stream did not end; got " << all.size() << " bytes";
      break;
    }
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      EXPECT_EQ(got, 0) << "stream broke: " << errno;
      break;
    }
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  Output output;
  if (raw) {
    output.out = std::move(all);
    return output;
  }
  std::size_t at = 0;
  while (at + 8 <= all.size()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(all[at + i]); };
    const std::size_t size = (std::size_t{byte(4)} << 24U) | (std::size_t{byte(5)} << 16U) |
                             (std::size_t{byte(6)} << 8U) | byte(7);
    std::string& target = byte(0) == 1 ? output.out : byte(0) == 2 ? output.err : output.system;
    target.append(all, at + 8, size);
    at += 8 + size;
  }
  EXPECT_EQ(at, all.size()) << "torn frame";
  return output;
}

std::string StreamClient::readUntil(const std::string& text, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string all;
  std::vector<char> buffer(4096);
  while (all.find(text) == std::string::npos) {
    const ssize_t got =
        readable(deadline) ? ::recv(fd_.get(), buffer.data(), buffer.size(), 0) : -1;
    if (got <= 0) {
      ADD_FAILURE() << "'" << text << "' did not come; got: " << all;
      break;
    }
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

void ShimTest::SetUp() {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root: namespaces, cgroups, mounts";
  }
  if (!fs::exists("/usr/bin/crun") || !fs::exists("/bin/busybox")) {
    GTEST_SKIP() << "needs crun and busybox-static";
  }
  static int counter = 0;
  id_ = "shimtest" + std::to_string(::getpid()) + "n" + std::to_string(++counter);
  base_ = "/tmp/" + id_;
  cgroup_ = "/flotilla-shimtest/" + id_;
  run_dir_ = base_ + "/run";
  journal_ = base_ + "/journal";
  log_path_ = base_ + "/json.log";
  for (const char* dir : {"run", "bundle", "l", "upper", "work", "merged", "lower/bin", "lower/etc",
                          "lower/proc", "lower/dev", "crun"}) {
    fs::create_directories(base_ + "/" + dir);
  }
  fs::copy_file("/bin/busybox", base_ + "/lower/bin/busybox");
  for (const char* applet :
       {"sh", "true", "false", "echo", "cat", "sleep", "ls", "stty", "id", "yes", "head", "dd",
        "kill", "grep", "pwd", "md5sum", "seq", "env", "tail"}) {
    fs::create_symlink("busybox", base_ + "/lower/bin/" + applet);
  }
  std::ofstream(base_ + "/lower/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\n"
                                                "user:x:1000:1001:u:/home/user:/bin/sh\n";
  std::ofstream(base_ + "/lower/etc/group")
      << "root:x:0:\nextra:x:77:user,other\nwheel:x:10:root\n";
  fs::create_directory_symlink("../lower", base_ + "/l/a");
  spec_.container_id = id_;
  spec_.bundle = base_ + "/bundle";
  spec_.journal = journal_;
  spec_.runtime = "/usr/bin/crun";
  spec_.runtime_root = base_ + "/crun";
  spec_.cgroup_path = cgroup_;
  spec_.overlay = {base_ + "/l", {"a"}, base_ + "/upper", base_ + "/work", base_ + "/merged"};
  spec_.log.path = log_path_;
  client_.emplace(run_dir_);
}

void ShimTest::TearDown() {
  if (!client_) {
    return;
  }
  if (client_->alive()) {
    (void)client_->stopping(true).has_value();
    (void)client_->signal(9).has_value();
    (void)client_->end().has_value();
    EXPECT_TRUE(eventually([this] { return !client_->alive(); })) << "the shim does not end";
  }
  EXPECT_TRUE(cgroupLeftovers(cgroup_).empty());
  EXPECT_FALSE(fs::exists(base_ + "/crun/" + id_)) << "runtime state left";
  EXPECT_EQ(readWhole("/proc/self/mountinfo").find(id_), std::string::npos)
      << "a mount on the host";
  const std::string words = readWhole(run_dir_ + "/shim.log");
  EXPECT_EQ(words, "");
  std::error_code ignored;
  fs::remove_all(base_, ignored);
  for (const std::string& parent : cgroupLeftovers("/flotilla-shimtest")) {
    ::rmdir(parent.c_str());
  }
}

void ShimTest::makeBundle(const std::vector<std::string>& args,
                          const std::function<void(json&)>& edit) {
  json config = minimalConfig(base_ + "/merged", cgroup_);
  config["process"]["args"] = args;
  config["process"]["terminal"] = spec_.tty;
  if (edit) {
    edit(config);
  }
  std::ofstream(base_ + "/bundle/config.json") << config.dump();
}

void ShimTest::launch() {
  ShimDescriptors fds;
  fds.lock.reset(::open((run_dir_ + "/shim.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(fds.lock.get(), LOCK_EX | LOCK_NB), 0);
  const auto launched = client_->launch(shimPath(), spec_, std::move(fds), std::chrono::seconds(5));
  ASSERT_TRUE(launched.has_value()) << launched.error().message();
  ASSERT_TRUE(client_->alive());
}

int ShimTest::go() {
  const auto pid = client_->go(std::chrono::seconds(20));
  EXPECT_TRUE(pid.has_value()) << pid.error().message();
  return pid.value_or(0);
}

StreamEndpoint ShimTest::attachBeforeStart(bool with_stdin) {
  AttachOptions options;
  options.stdin_open = with_stdin;
  const auto endpoint = client_->attach(options);
  EXPECT_TRUE(endpoint.has_value());
  return endpoint.value_or(StreamEndpoint{});
}

JournalLine ShimTest::waitFor(JournalLine::What what, std::chrono::seconds limit, unsigned run) {
  JournalLine found;
  const bool came = eventually(
      [&] {
        const auto lines = readJournal(journal_, 0);
        for (const JournalLine& line : lines.value_or(std::vector<JournalLine>{})) {
          if (line.what == what && (run == 0 || line.run == run)) {
            found = line;
            return true;
          }
        }
        return false;
      },
      limit);
  EXPECT_TRUE(came) << "journal:\n" << readWhole(journal_);
  return found;
}

void ShimTest::waitGone() {
  EXPECT_TRUE(eventually([this] { return !client_->alive(); })) << "journal:\n"
                                                                << readWhole(journal_);
}

std::string ShimTest::writeExec(const std::vector<std::string>& args,
                                const std::function<void(json&)>& edit) {
  json process = {{"cwd", "/"},
                  {"args", args},
                  {"env", {"PATH=/bin:/usr/bin"}},
                  {"user", {{"uid", 0}, {"gid", 0}}}};
  if (edit) {
    edit(process);
  }
  const std::string path = run_dir_ + "/process" + std::to_string(++execs_) + ".json";
  std::ofstream(path) << process.dump();
  return path;
}

std::pair<Output, int> ShimTest::exec(const std::vector<std::string>& args, bool tty) {
  ExecStart start;
  start.process_file = writeExec(args, [tty](json& process) { process["terminal"] = tty; });
  start.exec_id = "exec" + std::to_string(execs_);
  start.tty = tty;
  const auto endpoint = client_->execStart(start);
  if (!endpoint) {
    ADD_FAILURE() << endpoint.error().message();
    return {};
  }
  StreamClient stream(*endpoint);
  Output output = stream.readAll(tty);
  const auto state = client_->execState(start.exec_id);
  EXPECT_TRUE(state && state->exit_code) << "no exit code when the stream has ended";
  return {std::move(output), state && state->exit_code ? *state->exit_code : -1};
}

std::string ShimTest::log() const { return readWhole(log_path_); }

}  // namespace flotilla::engine
