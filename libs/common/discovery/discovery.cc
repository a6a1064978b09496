#include "common/discovery/discovery.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "common/discovery/redis_discovery.h"
#include "common/discovery/token_discovery.h"

namespace flotilla {
namespace {

/// Splits at commas (and line ends), trims, expands and checks. Empty entries are skipped.
Result<DiscoveryEntries> parseEntries(std::string_view text, bool comments) {
  DiscoveryEntries entries;
  std::string separated(text);
  std::replace(separated.begin(), separated.end(), ',', '\n');
  std::istringstream lines(separated);
  std::string line;
  while (std::getline(lines, line)) {
    if (comments) {
      line = line.substr(0, line.find('#'));
    }
    constexpr std::string_view kBlank = " \t\r";
    const auto first = line.find_first_not_of(kBlank);
    if (first == std::string::npos) {
      continue;
    }
    line = line.substr(first, line.find_last_not_of(kBlank) - first + 1);
    FLO_TRY_ASSIGN(auto expanded, expandPattern(line));
    for (auto& entry : expanded) {
      FLO_TRY(checkEntry(entry));
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

/// A fixed list; also what memory:// is before anyone announced.
class StaticDiscovery final : public Discovery {
 public:
  explicit StaticDiscovery(DiscoveryEntries entries) : entries_(std::move(entries)) {}

  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    changed(entries_);
    return std::make_unique<Watch>();
  }

  Result<void> announce(const std::string& /*entry*/, std::chrono::seconds /*ttl*/) override {
    return Error{ErrorKind::NotImplemented, "not implemented in this discovery service"};
  }

 private:
  const DiscoveryEntries entries_;
};

/// Announced entries of this process, each until its lifetime ends.
class MemoryDiscovery final : public Discovery {
 public:
  explicit MemoryDiscovery(Reactor& reactor)
      : reactor_(reactor), state_(std::make_shared<State>()) {}

  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    class MemoryWatch final : public Watch {
     public:
      MemoryWatch(std::shared_ptr<State> state, std::size_t id)
          : state_(std::move(state)), id_(id) {}
      ~MemoryWatch() override { state_->watchers.erase(id_); }
      MemoryWatch(const MemoryWatch&) = delete;
      MemoryWatch& operator=(const MemoryWatch&) = delete;

     private:
      std::shared_ptr<State> state_;
      std::size_t id_;
    };
    const auto id = state_->next_watcher++;
    state_->watchers[id] = changed;
    changed(state_->entries());
    return std::make_unique<MemoryWatch>(state_, id);
  }

  Result<void> announce(const std::string& entry, std::chrono::seconds ttl) override {
    FLO_TRY(checkEntry(entry));
    auto& slot = state_->announced[entry];
    const bool fresh = slot.generation == 0;
    const auto generation = ++slot.generation;
    reactor_.runAfter(ttl, [weak = std::weak_ptr<State>(state_), entry, generation] {
      if (const auto state = weak.lock();
          state && state->announced[entry].generation == generation) {
        state->announced.erase(entry);
        state->tell();
      }
    });
    if (fresh) {
      state_->tell();
    }
    return {};
  }

 private:
  struct Slot {
    std::uint64_t generation = 0;
  };
  struct State {
    std::map<std::string, Slot> announced;
    std::map<std::size_t, std::function<void(Result<DiscoveryEntries>)>> watchers;
    std::size_t next_watcher = 0;

    DiscoveryEntries entries() const {
      DiscoveryEntries list;
      for (const auto& [entry, slot] : announced) {
        list.push_back(entry);
      }
      return list;
    }
    void tell() {
      const auto copy = watchers;  // a watcher may end itself
      for (const auto& [id, changed] : copy) {
        changed(entries());
      }
    }
  };

  Reactor& reactor_;
  std::shared_ptr<State> state_;
};

/// A file of entries, read again every heartbeat.
class FileDiscovery final : public Discovery {
 public:
  FileDiscovery(Reactor& reactor, std::string path, std::chrono::milliseconds heartbeat)
      : reactor_(reactor), path_(std::move(path)), heartbeat_(heartbeat) {}

  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    auto poll = std::make_unique<Poll>(reactor_, path_, heartbeat_, std::move(changed));
    poll->run();
    return poll;
  }

  Result<void> announce(const std::string& /*entry*/, std::chrono::seconds /*ttl*/) override {
    return Error{ErrorKind::NotImplemented, "not implemented in this discovery service"};
  }

 private:
  class Poll final : public Watch {
   public:
    Poll(Reactor& reactor, std::string path, std::chrono::milliseconds heartbeat,
         std::function<void(Result<DiscoveryEntries>)> changed)
        : reactor_(reactor),
          path_(std::move(path)),
          heartbeat_(heartbeat),
          changed_(std::move(changed)) {}
    ~Poll() override { reactor_.cancelTimer(timer_); }
    Poll(const Poll&) = delete;
    Poll& operator=(const Poll&) = delete;

    void run() {
      auto entries = readFile();
      timer_ = reactor_.runAfter(heartbeat_, [this] { run(); });
      if (entries && last_ == *entries) {
        return;
      }
      if (entries) {
        last_ = *entries;
      }
      // Last, and on a copy: the callback may end this watch.
      const auto changed = changed_;
      changed(std::move(entries));
    }

   private:
    Result<DiscoveryEntries> readFile() const {
      std::ifstream file(path_);
      std::stringstream text;
      text << file.rdbuf();
      if (!file) {
        return Error{ErrorKind::Unavailable, "failed to read '" + path_ + "'"};
      }
      return parseEntries(text.str(), true);
    }

    Reactor& reactor_;
    const std::string path_;
    const std::chrono::milliseconds heartbeat_;
    const std::function<void(Result<DiscoveryEntries>)> changed_;
    std::optional<DiscoveryEntries> last_;
    Reactor::TimerId timer_ = 0;
  };

  Reactor& reactor_;
  const std::string path_;
  const std::chrono::milliseconds heartbeat_;
};

}  // namespace

Result<std::unique_ptr<Discovery>> makeDiscovery(std::string_view url, Reactor& reactor,
                                                 const DiscoveryOptions& options) {
  const auto separator = url.find("://");
  const auto scheme = separator == std::string_view::npos ? "nodes" : url.substr(0, separator);
  const auto rest = separator == std::string_view::npos ? url : url.substr(separator + 3);
  if (scheme == "nodes") {
    auto entries = parseEntries(rest, false);
    if (!entries) {
      std::string message = entries.error().message();
      message += ", please check you are using the correct discovery (missing token:// ?)";
      return Error{ErrorKind::InvalidArgument, std::move(message)};
    }
    return std::unique_ptr<Discovery>(std::make_unique<StaticDiscovery>(*std::move(entries)));
  }
  if (scheme == "file") {
    return std::unique_ptr<Discovery>(
        std::make_unique<FileDiscovery>(reactor, std::string(rest), options.heartbeat));
  }
  if (scheme == "memory") {
    return std::unique_ptr<Discovery>(std::make_unique<MemoryDiscovery>(reactor));
  }
  if (scheme == "token" || scheme == "token+http") {
    FLO_TRY_ASSIGN(auto client, TokenClient::parse(scheme, rest, options.token));
    return makeTokenDiscovery(std::move(client), reactor, options);
  }
  if (scheme == "redis" || scheme == "rediss" || scheme == "redis+unix" || scheme == "unix") {
    return makeRedisDiscovery(url, reactor, options);
  }
  return Error{ErrorKind::InvalidArgument,
               "discovery service not supported: " + std::string(scheme)};
}

}  // namespace flotilla
