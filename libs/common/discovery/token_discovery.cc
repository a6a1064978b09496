#include "common/discovery/token_discovery.h"

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "common/event/thread_pool.h"

namespace flotilla {
namespace {

constexpr std::size_t kThreads = 2;  // a slow list does not delay an announcement
constexpr std::size_t kMaxQueued = 16;

/// What callbacks on their way share with their maker; they find it gone when it is.
struct Poll {
  Poll(Reactor& poll_reactor, std::function<void(Result<DiscoveryEntries>)> tell)
      : reactor(poll_reactor), changed(std::move(tell)) {}

  Reactor& reactor;
  const std::function<void(Result<DiscoveryEntries>)> changed;
  std::optional<DiscoveryEntries> last = {};
  Reactor::TimerId timer = 0;
};

class TokenDiscovery final : public Discovery {
 public:
  TokenDiscovery(TokenClient client, Reactor& reactor, DiscoveryOptions options)
      : client_(std::move(client)),
        reactor_(reactor),
        options_(std::move(options)),
        threads_({"discovery", kThreads, kMaxQueued}) {}

  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    auto poll = std::make_shared<Poll>(reactor_, std::move(changed));
    ask(poll);
    return std::make_unique<TokenWatch>(std::move(poll));
  }

  Result<void> announce(const std::string& entry, std::chrono::seconds ttl) override {
    FLO_TRY(checkEntry(entry));
    if (announcing_->exchange(true)) {
      return Error{ErrorKind::Unavailable,
                   "an earlier announcement still waits for the discovery service"};
    }
    const bool posted =
        threads_.post([client = client_, &reactor = reactor_, failed = options_.announce_failed,
                       announcing = announcing_, entry, ttl] {
          auto done = client.announce(entry, ttl);
          *announcing = false;
          if (!done && failed) {
            reactor.post([failed, error = std::move(done).error()] { failed(error); });
          }
        });
    if (!posted) {
      *announcing_ = false;
    }
    return posted ? Result<void>{}
                  : Error{ErrorKind::Unavailable, "the discovery service keeps others waiting"};
  }

 private:
  class TokenWatch final : public Watch {
   public:
    explicit TokenWatch(std::shared_ptr<Poll> poll) : poll_(std::move(poll)) {}
    ~TokenWatch() override { poll_->reactor.cancelTimer(poll_->timer); }
    TokenWatch(const TokenWatch&) = delete;
    TokenWatch& operator=(const TokenWatch&) = delete;

   private:
    std::shared_ptr<Poll> poll_;
  };

  void ask(const std::weak_ptr<Poll>& weak) {
    const bool posted = threads_.post([this, weak] {
      auto entries = client_.list();
      reactor_.post([this, weak, entries = std::move(entries)]() mutable {
        answered(weak, std::move(entries));
      });
    });
    if (!posted) {
      again(weak);
    }
  }

  /// On the reactor's thread. A watch that is alive keeps this alive: its owner's rule.
  void answered(const std::weak_ptr<Poll>& weak, Result<DiscoveryEntries> entries) {
    const auto poll = weak.lock();
    if (!poll) {
      return;
    }
    again(weak);
    if (entries && poll->last == *entries) {
      return;
    }
    if (entries) {
      poll->last = *entries;
    }
    poll->changed(std::move(entries));
  }

  void again(const std::weak_ptr<Poll>& weak) {
    if (const auto poll = weak.lock()) {
      poll->timer = reactor_.runAfter(options_.heartbeat, [this, weak] { ask(weak); });
    }
  }

  const TokenClient client_;
  Reactor& reactor_;
  const DiscoveryOptions options_;
  const std::shared_ptr<std::atomic<bool>> announcing_ =
      std::make_shared<std::atomic<bool>>(false);  // with the threads
  ThreadPool threads_;                             // joins before the rest goes
};

}  // namespace

std::unique_ptr<Discovery> makeTokenDiscovery(TokenClient client, Reactor& reactor,
                                              const DiscoveryOptions& options) {
  return std::make_unique<TokenDiscovery>(std::move(client), reactor, options);
}

}  // namespace flotilla
