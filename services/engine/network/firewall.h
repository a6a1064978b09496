#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/mutex.h"
#include "engine/network/firewall_text.h"

struct nft_ctx;

namespace flotilla::engine {

/// The daemon's own nft table, by libnftables in process, in the network namespace of the thread
/// that called create(). Never touches other tables. Thread-safe: commands go one at a time.
class Firewall {
 public:
  using CurrentPorts = std::function<Result<std::vector<PublishedPort>>()>;

  static Result<std::unique_ptr<Firewall>> create(FirewallSpec spec);

  /// Replaces the table, in one transaction, by the chains and what `current` says is published. It
  /// is asked under the lock, so that no publish or withdraw falls between question and answer.
  Result<void> rebuild(const CurrentPorts& current);
  /// Errors: when the table is gone or damaged (somebody flushed the rules) or says otherwise of a
  /// port; rebuild() is the cure.
  Result<void> publish(const std::vector<PublishedPort>& ports);
  Result<void> withdraw(const std::vector<PublishedPort>& ports);

  /// Base chains of other tables that drop forwarded packets unless a rule accepts them, with the
  /// rule that helps.
  std::vector<std::string> foreignDrops();

 private:
  struct Release {
    void operator()(nft_ctx* context) const;
  };
  using Context = std::unique_ptr<nft_ctx, Release>;

  Firewall(FirewallSpec spec, Context context)
      : spec_(std::move(spec)), context_(std::move(context)) {}
  Result<void> run(const std::string& commands) FLO_REQUIRES(mutex_);

  const FirewallSpec spec_;
  Mutex mutex_;
  Context context_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::engine
