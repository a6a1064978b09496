#include "engine/network/namespace_pool.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <optional>
#include <system_error>
#include <thread>

#include "common/os/mutex.h"
#include "common/os/random.h"
#include "engine/network/links.h"

namespace flotilla::engine {
namespace {

constexpr auto kMakingDeadline = std::chrono::seconds(30);
constexpr auto kThreadNamespace = "/proc/thread-self/ns/net";
constexpr auto kInsideName = "eth0";

Result<UniqueFd> openThreadNamespace() {
  UniqueFd fd(::open(kThreadNamespace, O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return sysError("open the network namespace", errno);
  }
  return fd;
}

/// dockerd turns IPv6 off on a link without an IPv6 address. /proc/sys/net shows the namespace of
/// the thread that opens it. A kernel without IPv6 has no such file.
void disableIpv6(const std::string& link) {
  const UniqueFd fd(
      ::open(("/proc/sys/net/ipv6/conf/" + link + "/disable_ipv6").c_str(), O_WRONLY | O_CLOEXEC));
  if (fd) {
    [[maybe_unused]] const auto written = ::write(fd.get(), "1", 1);
  }
}

class MakerPool final : public NamespacePool {
 public:
  MakerPool(Options options, UniqueFd host_netns, NetlinkSocket host)
      : options_(std::move(options)), host_netns_(std::move(host_netns)), host_(std::move(host)) {}

  ~MakerPool() override {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (maker_.joinable()) {
      maker_.join();
    }
  }
  MakerPool(const MakerPool&) = delete;
  MakerPool& operator=(const MakerPool&) = delete;

  void start() {
    maker_ = std::thread([this] { serve(); });
  }

  Result<WarmNamespace> take() override {
    const auto deadline = std::chrono::steady_clock::now() + kMakingDeadline;
    const MutexLock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    while (made_.empty()) {
      if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout && made_.empty()) {
        --waiting_;
        return Error{ErrorKind::Unavailable, "no network namespace within 30 s"};
      }
    }
    --waiting_;
    auto taken = std::move(made_.front());
    made_.pop_front();
    return taken;
  }

 private:
  void serve() {
    ::prctl(PR_SET_NAME, "flo-netns");
    while (awaitDemand()) {
      auto made = make();
      const MutexLock lock(mutex_);
      // A failure goes to one caller; without callers it only stops the refill until the next.
      failing_ = !made;
      if (made || waiting_ > made_.size()) {
        made_.push_back(std::move(made));
        changed_.notify_all();
      }
    }
  }

  /// False when the pool ends.
  bool awaitDemand() {
    const MutexLock lock(mutex_);
    while (!stopping_) {
      const std::size_t wanted = waiting_ + (failing_ ? 0 : options_.size);
      if (made_.size() < wanted) {
        return true;
      }
      changed_.wait(mutex_);
    }
    return false;
  }

  Result<WarmNamespace> make() {
    auto made = makeInside();
    if (::setns(host_netns_.get(), CLONE_NEWNET) != 0) {
      return sysError("return to the host's network namespace", errno);
    }
    return made;
  }

  Result<WarmNamespace> makeInside() {
    FLO_TRY_ASSIGN(auto space, enterNewNamespace());
    FLO_TRY(addVethPair(host_, {.host_name = "veth" + randomHex(4).substr(1),
                                .bridge = options_.bridge,
                                .inside_name = kInsideName,
                                .netns = space.netns.get(),
                                .mtu = options_.mtu}));
    disableIpv6(kInsideName);
    FLO_TRY_ASSIGN(const int index, linkIndex(space.inside, kInsideName));
    return WarmNamespace{std::move(space), index};
  }

  Options options_;
  UniqueFd host_netns_;
  NetlinkSocket host_;  // the maker's
  Mutex mutex_;
  CondVar changed_;
  std::deque<Result<WarmNamespace>> made_ FLO_GUARDED_BY(mutex_);
  std::size_t waiting_ FLO_GUARDED_BY(mutex_) = 0;
  bool failing_ FLO_GUARDED_BY(mutex_) = false;
  bool stopping_ FLO_GUARDED_BY(mutex_) = false;
  std::thread maker_;
};

}  // namespace

Result<NewNamespace> enterNewNamespace() {
  if (::unshare(CLONE_NEWNET) != 0) {
    return sysError("make a network namespace", errno);
  }
  FLO_TRY_ASSIGN(auto netns, openThreadNamespace());
  FLO_TRY_ASSIGN(auto inside, NetlinkSocket::open(NETLINK_ROUTE));
  FLO_TRY(raiseLoopback(inside));
  return NewNamespace{std::move(netns), std::move(inside)};
}

Result<NewNamespace> makeNamespace() {
  Result<NewNamespace> made = Error{ErrorKind::Internal, "network namespace: not made"};
  try {
    std::thread([&made] { made = enterNewNamespace(); }).join();
  } catch (const std::system_error& error) {
    return Error{ErrorKind::Unavailable, "make a network namespace: no thread",
                 error.code().value()};
  }
  return made;
}

Result<std::unique_ptr<NamespacePool>> NamespacePool::create(Options options) {
  FLO_TRY_ASSIGN(auto host_netns, openThreadNamespace());
  FLO_TRY_ASSIGN(auto host, NetlinkSocket::open(NETLINK_ROUTE));
  auto pool =
      std::make_unique<MakerPool>(std::move(options), std::move(host_netns), std::move(host));
  try {
    pool->start();
  } catch (const std::system_error& error) {
    return Error{ErrorKind::Unavailable, "start the namespace maker", error.code().value()};
  }
  return std::unique_ptr<NamespacePool>(std::move(pool));
}

}  // namespace flotilla::engine
