#include "engine/logs/log_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

namespace flotilla::engine {
namespace {

constexpr std::uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR;

std::string directoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

Result<std::unique_ptr<LogWatch>> LogWatch::create(Reactor& reactor) {
  UniqueFd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) {
    return sysError("watch logs", errno);
  }
  std::unique_ptr<LogWatch> watch(new LogWatch(reactor, std::move(fd)));
  FLO_TRY(reactor.watch(watch->fd_.get(), EPOLLIN,
                        [self = watch.get()](std::uint32_t) { self->onReadable(); }));
  return watch;
}

LogWatch::~LogWatch() { reactor_.unwatch(fd_.get()); }

Result<LogWatch::Id> LogWatch::subscribe(const std::string& log_path,
                                         std::function<void()> on_change) {
  const std::string directory = directoryOf(log_path);
  const int watch = inotify_add_watch(fd_.get(), directory.c_str(), kEvents);
  if (watch < 0) {
    const Error error = sysError("watch " + directory, errno);
    return errno == ENOENT ? Error(error).as(ErrorKind::NotFound) : error;
  }
  const Id id = next_++;
  subscriptions_[id] = {watch, std::move(on_change)};
  by_watch_.emplace(watch, id);
  return id;
}

void LogWatch::unsubscribe(Id id) {
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) {
    return;
  }
  const int watch = found->second.watch;
  subscriptions_.erase(found);
  auto [first, last] = by_watch_.equal_range(watch);
  for (auto it = first; it != last; ++it) {
    if (it->second == id) {
      by_watch_.erase(it);
      break;
    }
  }
  if (!by_watch_.contains(watch)) {
    inotify_rm_watch(fd_.get(), watch);  // gone already when the directory was removed
  }
}

void LogWatch::notify(int watch) {
  std::vector<Id> ids;  // a callback may unsubscribe others
  for (auto [it, last] = by_watch_.equal_range(watch); it != last; ++it) {
    ids.push_back(it->second);
  }
  for (const Id id : ids) {
    if (const auto found = subscriptions_.find(id); found != subscriptions_.end()) {
      const std::function<void()> on_change = found->second.on_change;  // outlives its own removal
      on_change();
    }
  }
}

void LogWatch::onReadable() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
  const ssize_t got = read(fd_.get(), buffer.data(), buffer.size());
  std::set<int> changed;
  bool overflow = false;
  for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= got;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    at += static_cast<ssize_t>(sizeof event + event.len);
    overflow |= (event.mask & IN_Q_OVERFLOW) != 0;
    changed.insert(event.wd);
  }
  if (overflow) {  // the kernel dropped events: anyone may have news
    for (const auto& [id, subscription] : subscriptions_) {
      changed.insert(subscription.watch);
    }
  }
  for (const int watch : changed) {
    notify(watch);
  }
}

}  // namespace flotilla::engine
