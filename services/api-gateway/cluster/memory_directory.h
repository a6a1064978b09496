#pragma once

#include <map>
#include <string>

#include "api-gateway/cluster/engine_directory.h"
#include "common/event/reactor.h"

namespace flotilla::gateway {

/// The directory of one process. Outlives the reactor's run.
class MemoryDirectory final : public EngineDirectory {
 public:
  explicit MemoryDirectory(Reactor& reactor) : reactor_(reactor) {}

  void announce(const std::string& address, EngineIdentity identity) {
    engines_[address] = std::move(identity);
  }
  void forget(const std::string& address) { engines_.erase(address); }

  void find(const std::string& address, std::function<void(Result<EngineIdentity>)> done) override {
    const auto known = engines_.find(address);
    Result<EngineIdentity> answer =
        known != engines_.end()
            ? Result<EngineIdentity>(known->second)
            : Error{ErrorKind::NotFound, "no engine has announced itself at " + address};
    reactor_.post([done = std::move(done), answer = std::move(answer)] { done(answer); });
  }

  void reserveName(const std::string& name, const std::string& owner,
                   std::chrono::milliseconds lifetime,
                   std::function<void(Result<void>)> done) override {
    const auto now = Reactor::Clock::now();
    const auto held = names_.find(name);
    Result<void> answer;
    if (held != names_.end() && held->second.until > now && held->second.owner != owner) {
      answer = Error{ErrorKind::AlreadyExists, held->second.owner};
    } else {
      names_[name] = {owner, now + lifetime};
    }
    reactor_.post([done = std::move(done), answer = std::move(answer)] { done(answer); });
  }

  void releaseName(const std::string& name, const std::string& owner) override {
    const auto held = names_.find(name);
    if (held != names_.end() && held->second.owner == owner) {
      names_.erase(held);
    }
  }

 private:
  struct Reservation {
    std::string owner;
    Reactor::Clock::time_point until;
  };
  Reactor& reactor_;
  std::map<std::string, EngineIdentity> engines_;
  std::map<std::string, Reservation> names_;
};

}  // namespace flotilla::gateway
