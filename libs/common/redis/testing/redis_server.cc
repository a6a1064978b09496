#include "common/redis/testing/redis_server.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <thread>

#include "common/net/socket.h"
#include "common/os/unique_fd.h"

namespace flotilla::testing {
namespace {

constexpr std::chrono::seconds kStartLimit{10};
constexpr std::string_view kPing = "PING\r\n";

/// Any answer will do but "still loading": one that wants a password is up as well.
bool answers(const std::string& path) {
  auto fd = net::connectBlocking({.kind = net::Address::Kind::Unix, .path = path}, 1000);
  if (!fd || ::write(fd->get(), kPing.data(), kPing.size()) < 0) {
    return false;
  }
  pollfd ready{.fd = fd->get(), .events = POLLIN, .revents = 0};
  std::array<char, 64> answer{};
  if (::poll(&ready, 1, 1000) != 1) {
    return false;
  }
  const ssize_t size = ::read(fd->get(), answer.data(), answer.size());
  return size > 0 &&
         !std::string_view(answer.data(), static_cast<std::size_t>(size)).starts_with("-LOADING");
}

}  // namespace

bool RedisServer::installed() {
  auto asked =
      Process::spawn({.argv = {"redis-server", "--version"}, .lookup = ProcessSpec::Lookup::Path});
  const auto ended = asked ? asked->wait(kStartLimit) : Result<ProcessExit>{asked.error()};
  return ended && ended->code == 0;
}

Result<std::unique_ptr<RedisServer>> RedisServer::start(Options options) {
  std::string folder = (std::filesystem::temp_directory_path() / "flo-redis-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    return sysError("make folder", errno);
  }
  std::unique_ptr<RedisServer> server(new RedisServer(std::move(options), folder));
  FLO_TRY(server->run());
  return server;
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<void> RedisServer::run() {
  ProcessSpec spec;
  spec.lookup = ProcessSpec::Lookup::Path;
  spec.argv = {"redis-server",
               "--port",
               "0",
               "--unixsocket",
               socket(),
               "--dir",
               folder_,
               "--save",
               "",
               "--appendonly",
               options_.append_only ? "yes" : "no",
               "--logfile",
               folder_ + "/log"};
  spec.argv.insert(spec.argv.end(), options_.settings.begin(), options_.settings.end());
  FLO_TRY_ASSIGN(process_, Process::spawn(spec));
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (!answers(socket())) {
    if (std::chrono::steady_clock::now() > deadline) {
      return Error{ErrorKind::DeadlineExceeded,
                   "redis-server does not answer; its log: " + folder_ + "/log"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

void RedisServer::kill() {
  if (process_) {
    static_cast<void>(process_->signal(SIGKILL).has_value());
    static_cast<void>(process_->wait(std::chrono::seconds(10)).has_value());
    process_.reset();
  }
}

Result<void> RedisServer::restart() { return run(); }

void RedisServer::dropData() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_ + "/appendonlydir", ignored);
  std::filesystem::remove(folder_ + "/dump.rdb", ignored);
}

void RedisServer::signal(int number) {
  if (process_) {
    static_cast<void>(process_->signal(number).has_value());
  }
}

}  // namespace flotilla::testing
