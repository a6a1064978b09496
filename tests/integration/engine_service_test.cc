// A whole engine over the real shim, runtime, kernel and disk, driven by jobs as a gateway would.
#include "engine/engine_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/json/json.h"
#include "common/os/random.h"
#include "common/os/unique_fd.h"
#include "common/queue/memory_queue.h"
#include "engine/leadership.h"

namespace flotilla::engine {
namespace {

using std::chrono::seconds;

/// One submitted job: what came of it, with deadlines.
struct Call {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Established> established;
  std::optional<JobResult> result;
  std::string id;

  JobResult wait() {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, seconds(60), [&] { return result.has_value(); })) {
      return Error{ErrorKind::DeadlineExceeded, "no result"};
    }
    return *result;
  }
  std::optional<Established> begun() {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, seconds(60), [&] { return established || result; });
    return established;
  }
};

UniqueFd connectTo(const StreamEndpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint.address.copy(address.sun_path, sizeof address.sun_path - 1, 5);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  const std::string line = endpoint.ticket + "\n";
  EXPECT_EQ(::write(fd.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  return fd;
}

std::string readAll(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

class EngineServiceTest : public testing::Test {
 protected:
  static bool privileged() { return ::geteuid() == 0 && ::access("/bin/busybox", X_OK) == 0; }

  void SetUp() override {
    if (!privileged()) {
      GTEST_SKIP() << "needs root and busybox-static";
    }
    if (::unshare(CLONE_NEWNET) != 0) {
      GTEST_SKIP() << "cannot make a network namespace";
    }
    std::string pattern = "/tmp/fXXXXXX";  // short: socket paths have 107 characters
    dir_ = ::mkdtemp(pattern.data());
    boot();
    importBusybox();
  }

  void TearDown() override {
    if (dir_.empty()) {
      return;
    }
    const auto list = run("container_list", {}, {{"all", "1"}});
    const auto all = json::parse(list ? list->body : "[]");
    for (const auto& container : all ? *all : json::Json::array()) {
      EXPECT_TRUE(run("container_remove", {container["Id"].get<std::string>()},
                      {{"force", "1"}, {"v", "1"}}));
    }
    // The shims of removed containers leave on their own.
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!std::filesystem::is_empty(dir_ + "/run/containers") &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_TRUE(std::filesystem::is_empty(dir_ + "/run/containers"));
    halt();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  void boot() {
    reactor_ = Reactor::create().value();
    queue_ = std::make_unique<MemoryQueue>(*reactor_);
    EngineOptions options;
    options.root = dir_ + "/root";
    options.run = dir_ + "/run";
    options.program_dir = FLO_BIN_DIR;
    auto service = EngineService::create(options, *reactor_, *queue_, metrics_);
    ASSERT_TRUE(service) << service.error().message();
    service_ = std::move(*service);
    loop_ = std::thread([this] { reactor_->run(); });
    const auto started = service_->start();
    ASSERT_TRUE(started) << started.error().message();
  }

  void halt() {
    service_->stop();
    reactor_->stop();
    loop_.join();
    service_.reset();
    queue_.reset();
  }

  std::shared_ptr<Call> submit(const std::string& name, std::vector<std::string> args,
                               std::map<std::string, std::string> env = {}, std::string body = "") {
    auto call = std::make_shared<Call>();
    Job job;
    job.id = call->id = randomHex(16);
    job.name = name;
    job.args = std::move(args);
    for (const auto& [key, value] : env) {
      job.env.set(key, value);
    }
    job.body = std::move(body);
    queue_->submit(service_->id(), std::move(job),
                   {.on_established =
                        [call](Established message) {
                          const std::lock_guard lock(call->mutex);
                          call->established = std::move(message);
                          call->changed.notify_all();
                        },
                    .on_result =
                        [call](JobResult result) {
                          const std::lock_guard lock(call->mutex);
                          call->result = std::move(result);
                          call->changed.notify_all();
                        }});
    return call;
  }

  JobResult run(const std::string& name, std::vector<std::string> args,
                std::map<std::string, std::string> env = {}, std::string body = "") {
    return submit(name, std::move(args), std::move(env), std::move(body))->wait();
  }

  void importBusybox() {
    const std::string root = dir_ + "/image";
    const std::string make = "mkdir -p " + root + "/bin " + root + "/etc " + root +
                             "/tmp && cp /bin/busybox " + root +
                             "/bin/ && for a in sh echo sleep cat true false; do ln -s busybox " +
                             root + "/bin/$a; done && echo root:x:0:0:root:/:/bin/sh >" + root +
                             "/etc/passwd && tar -C " + root + " -cf " + dir_ + "/image.tar .";
    ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
    const auto call =
        submit("image_import", {},
               {{"repo", "bb"}, {"tag", "latest"}, {"changes", R"(["CMD [\"sh\"]"])"}});
    const auto begun = call->begun();
    ASSERT_TRUE(begun && begun->stream)
        << (call->result && !*call->result ? call->result->error().message() : "");
    const UniqueFd stream = connectTo(*begun->stream);
    const UniqueFd tar(::open((dir_ + "/image.tar").c_str(), O_RDONLY | O_CLOEXEC));
    const std::string bytes = readAll(tar.get());
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::write(stream.get(), bytes.data() + sent, bytes.size() - sent);
      ASSERT_GT(count, 0);
      sent += static_cast<std::size_t>(count);
    }
    ::shutdown(stream.get(), SHUT_WR);
    const std::string answer = readAll(stream.get());
    ASSERT_TRUE(call->wait()) << answer;
  }

  std::string create(const std::string& name, const std::string& command,
                     const std::string& host = "") {
    const auto made = run("container_create", {}, {{"id", randomHex(32)}, {"name", name}},
                          R"({"Image":"bb","Cmd":["sh","-c",)" + json::quote(command) +
                              R"(],"HostConfig":{"NetworkMode":"none")" + host + "}}");
    EXPECT_TRUE(made) << made.error().message();
    return made ? json::parse(made->body).value()["Id"].get<std::string>() : "";
  }

  json::Json inspect(const std::string& name) {
    const auto found = run("container_inspect", {name});
    return found ? json::parse(found->body).value() : json::Json();
  }

  std::string dir_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<MemoryQueue> queue_;
  Metrics metrics_;
  std::unique_ptr<EngineService> service_;
  std::thread loop_;
};

TEST(EngineId, IsMadeOnceAndNeverReplaced) {
  std::string root = testing::TempDir() + "flotilla-engine-id-XXXXXX";
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  const std::string path = root + "/engine-id";
  const auto made = EngineService::engineId(root);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size(), 36U);
  EXPECT_EQ(EngineService::engineId(root).value(), *made);
  std::filesystem::resize_file(path, 0);
  EXPECT_EQ(EngineService::engineId(root).error().message(),
            "the engine's ID in " + path + " is empty");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);  // cannot be read as a file
  EXPECT_FALSE(EngineService::engineId(root));
  EXPECT_TRUE(std::filesystem::is_directory(path));
  std::filesystem::remove_all(root);
}

TEST_F(EngineServiceTest, RunsAContainerAndReportsItsExit) {
  create("one", "echo out; echo err >&2; exit 3");
  const auto attach =
      submit("container_attach", {"one"}, {{"stream", "1"}, {"stdout", "1"}, {"stderr", "1"}});
  const auto begun = attach->begun();
  ASSERT_TRUE(begun && begun->stream) << (attach->wait() ? "" : attach->wait().error().message());
  const UniqueFd stream = connectTo(*begun->stream);
  const auto wait = submit("container_wait", {"one"}, {{"condition", "next-exit"}});
  ASSERT_TRUE(wait->begun());
  const auto started = run("container_start", {"one"});
  ASSERT_TRUE(started) << started.error().message();
  const std::string output = readAll(stream.get());
  EXPECT_NE(output.find("out\n"), std::string::npos);
  EXPECT_NE(output.find("err\n"), std::string::npos);
  EXPECT_EQ(wait->wait().value().body, R"({"StatusCode":3})");
  const auto document = inspect("one");
  EXPECT_EQ(document["State"]["Status"], "exited");
  EXPECT_EQ(document["State"]["ExitCode"], 3);
}

TEST_F(EngineServiceTest, AutoRemovedContainersAreGoneWhenWaitAnswers) {
  create("gone", "exit 5", R"(,"AutoRemove":true)");
  const auto wait = submit("container_wait", {"gone"}, {{"condition", "removed"}});
  ASSERT_TRUE(wait->begun());
  ASSERT_TRUE(run("container_start", {"gone"}));
  EXPECT_EQ(wait->wait().value().body, R"({"StatusCode":5})");
  EXPECT_EQ(run("container_inspect", {"gone"}).error().kind(), ErrorKind::NotFound);
}

TEST_F(EngineServiceTest, ExecutesInARunningContainer) {
  create("up", "sleep 1000");
  ASSERT_TRUE(run("container_start", {"up"}));
  const auto made = run("exec_create", {"up"}, {},
                        R"({"Cmd":["sh","-c","echo hi; exit 7"],"AttachStdout":true})");
  ASSERT_TRUE(made) << made.error().message();
  const std::string id = json::parse(made->body).value()["Id"];
  const auto start = submit("exec_start", {id}, {}, "{}");
  const auto begun = start->begun();
  ASSERT_TRUE(begun && begun->stream) << (start->wait() ? "" : start->wait().error().message());
  const UniqueFd stream = connectTo(*begun->stream);
  EXPECT_NE(readAll(stream.get()).find("hi\n"), std::string::npos);
  EXPECT_EQ(json::parse(run("exec_inspect", {id})->body).value()["ExitCode"], 7);
  const auto killed = run("container_kill", {"up"});
  EXPECT_TRUE(killed) << killed.error().message();
  EXPECT_EQ(inspect("up")["State"]["ExitCode"], 137);
}

TEST_F(EngineServiceTest, ContainersOutliveTheEngine) {
  create("lives", "sleep 1000");
  ASSERT_TRUE(run("container_start", {"lives"}));
  const int pid = inspect("lives")["State"]["Pid"];
  halt();
  boot();
  EXPECT_EQ(inspect("lives")["State"]["Status"], "running");
  EXPECT_EQ(inspect("lives")["State"]["Pid"], pid);
  const auto stopped = run("container_stop", {"lives"}, {{"t", "0"}});
  EXPECT_TRUE(stopped) << stopped.error().message();
  EXPECT_EQ(inspect("lives")["State"]["Status"], "exited");
}

TEST(HoldRoot, IsSharedByWorkersOfOneRunFolder) {
  std::string folder = testing::TempDir() + "flotilla-root-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const Paths paths(folder + "/root", folder + "/run");
  const Paths elsewhere(folder + "/root", folder + "/run2");
  auto first = holdRoot(paths, Holders::Several);
  ASSERT_TRUE(first) << first.error().message();
  auto second = holdRoot(paths, Holders::Several);
  EXPECT_TRUE(second);
  EXPECT_FALSE(holdRoot(elsewhere, Holders::Several));
  EXPECT_FALSE(holdRoot(paths, Holders::One));
  first->reset();
  EXPECT_FALSE(holdRoot(elsewhere, Holders::Several));
  second->reset();
  EXPECT_TRUE(holdRoot(elsewhere, Holders::Several));
  EXPECT_TRUE(holdRoot(paths, Holders::One));
  std::filesystem::remove_all(folder);
}

TEST_F(EngineServiceTest, NoOtherDaemonWorksInItsFolder) {
  const auto reactor = Reactor::create().value();
  MemoryQueue queue(*reactor);
  Metrics metrics;
  EngineOptions options;
  options.root = dir_ + "/root";
  options.run = dir_ + "/run2";
  options.program_dir = FLO_BIN_DIR;
  const auto other = EngineService::create(options, *reactor, queue, metrics);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "another engine works in " + options.root +
                                         ": stop it, or give this one its own --data-root");
  EXPECT_FALSE(std::filesystem::exists(options.run));
}

TEST_F(EngineServiceTest, AMissingProgramIsExitCode127) {
  const auto made =
      run("container_create", {}, {{"id", randomHex(32)}, {"name", "bad"}},
          R"({"Image":"bb","Cmd":["nosuchprogram"],"HostConfig":{"NetworkMode":"none"}})");
  ASSERT_TRUE(made);
  const auto started = run("container_start", {"bad"});
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message().find("executable file not found in $PATH"), std::string::npos)
      << started.error().message();
  EXPECT_EQ(inspect("bad")["State"]["ExitCode"], 127);
}

TEST_F(EngineServiceTest, BridgeContainersHaveAnAddress) {
  const auto made = run("container_create", {}, {{"id", randomHex(32)}, {"name", "net"}},
                        R"({"Image":"bb","Cmd":["sleep","1000"]})");
  ASSERT_TRUE(made);
  const auto started = run("container_start", {"net"});
  ASSERT_TRUE(started) << started.error().message();
  EXPECT_NE(inspect("net")["NetworkSettings"]["IPAddress"], "");
}

}  // namespace
}  // namespace flotilla::engine
