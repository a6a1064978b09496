#include "common/discovery/redis_discovery.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "common/redis/redis_connection.h"

namespace flotilla {
namespace {

constexpr const char* kKeyLifetime = "86400000";  // nobody has announced anything for a day

std::int64_t integerIn(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Milliseconds of an answer to TIME, nothing when it is none.
std::optional<std::int64_t> timeOf(const Result<RedisReply>& reply) {
  if (!reply || reply->elements.size() != 2) {
    return std::nullopt;
  }
  return integerIn(reply->elements[0].text) * 1000 + integerIn(reply->elements[1].text) / 1000;
}

/// Everything on the reactor's thread. Commands under way hold it.
class Members : public std::enable_shared_from_this<Members> {
 public:
  using Changed = std::function<void(Result<DiscoveryEntries>)>;

  Members(Reactor& reactor, DiscoveryOptions options)
      : reactor_(reactor), options_(std::move(options)), key_(membersKey(options_.cluster)) {}

  void start(RedisTarget target) {
    redis_ = RedisConnection::create(reactor_,
                                     {.target = std::move(target), .name = "flotilla-discovery"},
                                     {.on_ready =
                                          [weak = weak_from_this()] {
                                            if (const auto self = weak.lock()) {
                                              self->ready();
                                            }
                                          },
                                      .on_lost =
                                          [weak = weak_from_this()](const Error& why) {
                                            if (const auto self = weak.lock()) {
                                              self->tell(why);
                                            }
                                          }});
    redis_->start();
  }

  void close() {
    redis_->close();
    for (auto& [id, watcher] : watchers_) {
      reactor_.cancelTimer(watcher.timer);
    }
    watchers_.clear();
  }

  std::size_t add(Changed changed) {
    const std::size_t id = ++last_watcher_;
    watchers_[id].changed = std::move(changed);
    ask(id);
    return id;
  }

  void drop(std::size_t id) {
    const auto watcher = watchers_.find(id);
    if (watcher != watchers_.end()) {
      reactor_.cancelTimer(watcher->second.timer);
      watchers_.erase(watcher);
    }
  }

  void announce(const std::string& entry, std::chrono::seconds ttl) {
    announced_[entry] = Reactor::Clock::now() + ttl;
    if (redis_->ready()) {
      write(entry, ttl);
    }
  }

 private:
  struct Watcher {
    Changed changed;
    std::optional<DiscoveryEntries> last = {};
    Reactor::TimerId timer = 0;
  };

  /// Connected, perhaps to a server that has forgotten everything.
  void ready() {
    const auto now = Reactor::Clock::now();
    std::erase_if(announced_, [now](const auto& known) { return known.second <= now; });
    for (const auto& [entry, until] : announced_) {
      write(entry, until - now);
    }
    for (const std::size_t id : ids()) {
      ask(id);
    }
  }

  void write(const std::string& entry, Reactor::Clock::duration ttl) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(ttl).count();
    redis_->send({"TIME"}, [self = shared_from_this(), entry,
                            left](const Result<RedisReply>& reply) {
      const auto now = timeOf(reply);
      if (!now) {
        return self->failed(reply);
      }
      const std::string end = std::to_string(*now + left);
      self->redis_->send({"ZADD", self->key_, end, entry},
                         [self](const Result<RedisReply>& added) { self->failed(added); });
      self->redis_->send({"ZREMRANGEBYSCORE", self->key_, "-inf", std::to_string(*now)}, nullptr);
      self->redis_->send({"PEXPIRE", self->key_, kKeyLifetime}, nullptr);
    });
  }

  /// A refusal by the server; a connection that broke is heard of otherwise, and made up for.
  void failed(const Result<RedisReply>& reply) {
    if (!reply && redis_->ready() && options_.announce_failed) {
      options_.announce_failed(reply.error());
    }
  }

  [[nodiscard]] std::vector<std::size_t> ids() const {
    std::vector<std::size_t> ids;  // a watcher may end itself when it is told
    for (const auto& [id, watcher] : watchers_) {
      ids.push_back(id);
    }
    return ids;
  }

  void tell(const Error& why) {
    for (const std::size_t id : ids()) {
      if (const auto watcher = watchers_.find(id); watcher != watchers_.end()) {
        const auto changed = watcher->second.changed;
        changed(why);
      }
    }
  }

  void ask(std::size_t id) {
    const auto watcher = watchers_.find(id);
    if (watcher == watchers_.end()) {
      return;
    }
    reactor_.cancelTimer(watcher->second.timer);
    watcher->second.timer =
        reactor_.runAfter(options_.heartbeat, [self = shared_from_this(), id] { self->ask(id); });
    if (!redis_->ready()) {
      return;  // asked when it is
    }
    redis_->send({"TIME"}, [self = shared_from_this(), id](const Result<RedisReply>& reply) {
      const auto now = timeOf(reply);
      if (!now) {
        return self->answered(id, reply);
      }
      self->redis_->send(
          {"ZRANGE", self->key_, "(" + std::to_string(*now), "+inf", "BYSCORE"},
          [self, id](const Result<RedisReply>& members) { self->answered(id, members); });
    });
  }

  void answered(std::size_t id, const Result<RedisReply>& reply) {
    const auto watcher = watchers_.find(id);
    if (watcher == watchers_.end() || (!reply && !redis_->ready())) {
      return;
    }
    const auto changed = watcher->second.changed;
    if (!reply) {
      return changed(reply.error());
    }
    DiscoveryEntries entries;
    for (const RedisReply& member : reply->elements) {
      if (checkEntry(member.text)) {
        entries.push_back(member.text);
      }
    }
    std::sort(entries.begin(),
              entries.end());  // their order in the set is that of the last announcements
    if (watcher->second.last != entries) {
      watcher->second.last = entries;
      changed(std::move(entries));
    }
  }

  Reactor& reactor_;
  const DiscoveryOptions options_;
  const std::string key_;
  RedisConnectionPtr redis_;
  std::map<std::string, Reactor::Clock::time_point> announced_;  // until when
  std::map<std::size_t, Watcher> watchers_;
  std::size_t last_watcher_ = 0;
};

class RedisDiscovery final : public Discovery {
 public:
  explicit RedisDiscovery(std::shared_ptr<Members> members) : members_(std::move(members)) {}
  ~RedisDiscovery() override { members_->close(); }
  RedisDiscovery(const RedisDiscovery&) = delete;
  RedisDiscovery& operator=(const RedisDiscovery&) = delete;

  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    return std::make_unique<MembersWatch>(members_, members_->add(std::move(changed)));
  }

  Result<void> announce(const std::string& entry, std::chrono::seconds ttl) override {
    FLO_TRY(checkEntry(entry));
    members_->announce(entry, ttl);
    return {};
  }

 private:
  class MembersWatch final : public Watch {
   public:
    MembersWatch(std::shared_ptr<Members> members, std::size_t id)
        : members_(std::move(members)), id_(id) {}
    ~MembersWatch() override { members_->drop(id_); }
    MembersWatch(const MembersWatch&) = delete;
    MembersWatch& operator=(const MembersWatch&) = delete;

   private:
    const std::shared_ptr<Members> members_;  // shared with the source and its commands
    const std::size_t id_;
  };

  const std::shared_ptr<Members> members_;
};

}  // namespace

std::string membersKey(const std::string& cluster) { return "flotilla:{" + cluster + "}:members"; }

Result<std::unique_ptr<Discovery>> makeRedisDiscovery(std::string_view url, Reactor& reactor,
                                                      const DiscoveryOptions& options) {
  FLO_TRY_ASSIGN(auto target, RedisTarget::create(url));
  auto members = std::make_shared<Members>(reactor, options);
  members->start(std::move(target));
  return std::unique_ptr<Discovery>(std::make_unique<RedisDiscovery>(std::move(members)));
}

}  // namespace flotilla
