#include "tests/integration/network_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "engine/network/links.h"
#include "engine/network/namespace_pool.h"

namespace flotilla::engine {
namespace {

constexpr auto kPollSlice = 50;  // ms

UniqueFd openNamespace() {
  return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

socklen_t makeAddress(const std::string& address, int port, sockaddr_storage& storage) {
  if (address.find(':') != std::string::npos) {
    auto* inet6 = reinterpret_cast<sockaddr_in6*>(&storage);
    inet6->sin6_family = AF_INET6;
    inet6->sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, address.c_str(), &inet6->sin6_addr);
    return sizeof *inet6;
  }
  auto* inet = reinterpret_cast<sockaddr_in*>(&storage);
  inet->sin_family = AF_INET;
  inet->sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, address.c_str(), &inet->sin_addr);
  return sizeof *inet;
}

std::string readAll(int fd, std::chrono::milliseconds timeout) {
  std::string text;
  std::array<char, 256> buffer{};
  pollfd poll{fd, POLLIN, 0};
  while (::poll(&poll, 1, static_cast<int>(timeout.count())) == 1) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text + " (timeout)";
}

}  // namespace

void inNamespace(int netns, const std::function<void()>& work) {
  std::thread([&] {
    ASSERT_EQ(::setns(netns, CLONE_NEWNET), 0) << std::strerror(errno);
    work();
  }).join();
}

struct EchoServer::State {
  UniqueFd listener;
  std::string text;
  std::atomic<bool> stopping{false};
  std::thread thread;

  void serve() {
    pollfd poll{listener.get(), POLLIN, 0};
    while (!stopping) {
      if (::poll(&poll, 1, kPollSlice) != 1) {
        continue;
      }
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      const UniqueFd client(
          ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
      std::array<char, INET6_ADDRSTRLEN> address{};
      ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&peer)->sin_addr, address.data(),
                  address.size());
      const auto answer = text + " " + address.data();
      [[maybe_unused]] const auto written = ::write(client.get(), answer.data(), answer.size());
    }
  }
};

EchoServer::EchoServer(int netns, const std::string& address, int port, std::string text)
    : state_(std::make_unique<State>()) {
  state_->text = std::move(text);
  inNamespace(netns, [&] {
    sockaddr_storage storage{};
    const auto size = makeAddress(address, port, storage);
    state_->listener.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(state_->listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    ASSERT_EQ(::bind(state_->listener.get(), reinterpret_cast<sockaddr*>(&storage), size), 0)
        << std::strerror(errno);
    ASSERT_EQ(::listen(state_->listener.get(), 64), 0);
  });
  state_->thread = std::thread([state = state_.get()] { state->serve(); });
}

EchoServer::~EchoServer() {
  state_->stopping = true;
  state_->thread.join();
}

std::string fetch(int netns, const std::string& address, int port,
                  std::chrono::milliseconds timeout) {
  std::string answer;
  inNamespace(netns, [&] {
    sockaddr_storage storage{};
    const auto size = makeAddress(address, port, storage);
    const UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 &&
        errno != EINPROGRESS) {
      answer = std::string("error: ") + std::strerror(errno);
      return;
    }
    pollfd poll{fd.get(), POLLOUT, 0};
    if (::poll(&poll, 1, static_cast<int>(timeout.count())) != 1) {
      answer = "error: timeout";
      return;
    }
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    answer =
        error != 0 ? std::string("error: ") + std::strerror(error) : readAll(fd.get(), timeout);
  });
  return answer;
}

std::string runIn(int netns, const std::string& command) {
  std::string output;
  inNamespace(netns, [&] {
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
    std::array<char, 4096> buffer{};
    while (const auto got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      output.append(buffer.data(), got);
    }
    if (::pclose(pipe) != 0) {
      ADD_FAILURE() << command << ": " << output;
      output.clear();
    }
  });
  return output;
}

void NetworkWorld::SetUp() {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root: makes network namespaces";
  }
  machine_ = openNamespace();
  if (::unshare(CLONE_NEWNET) != 0) {
    GTEST_SKIP() << "cannot make a network namespace: " << std::strerror(errno);
  }
  host_ = openNamespace();
  auto outside = makeNamespace();
  ASSERT_TRUE(outside) << outside.error().message();
  outside_ = std::move(outside->netns);
  const auto fd = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(outside_.get());
  runIn(host(), "ip link set lo up && ip link add up0 type veth peer name out0 netns " + fd +
                    " && ip addr add 192.0.2.2/24 dev up0 && ip link set up0 up");
  runIn(this->outside(), "ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up");
  std::string pattern = testing::TempDir() + "flotilla-net-XXXXXX";
  directory_ = ::mkdtemp(pattern.data());
  auto database = Database::open(directory_ + "/engine.db", networkMigrations());
  ASSERT_TRUE(database) << database.error().message();
  database_ = std::move(*database);
}

void NetworkWorld::TearDown() {
  database_.reset();
  if (machine_) {
    ASSERT_EQ(::setns(machine_.get(), CLONE_NEWNET), 0);
  }
  std::error_code ignored;
  if (!directory_.empty()) {
    std::filesystem::remove_all(directory_, ignored);
  }
}

std::unique_ptr<NetworkManager> NetworkWorld::makeManager(NetworkOptions options) {
  auto manager = NetworkManager::create(database(), std::move(options));
  if (!manager) {
    ADD_FAILURE() << manager.error().message();
    return nullptr;
  }
  if (const auto reconciled = (*manager)->reconcile({}); !reconciled) {
    ADD_FAILURE() << reconciled.error().message();
  }
  return std::move(*manager);
}

Attachment NetworkWorld::attach(NetworkManager& manager, const std::string& id,
                                std::vector<PortRequest> ports) {
  auto attachment = manager.attach({.container_id = id, .ports = std::move(ports)}, "name-" + id);
  if (!attachment) {
    ADD_FAILURE() << attachment.error().message();
    return {};
  }
  return std::move(*attachment);
}

}  // namespace flotilla::engine
