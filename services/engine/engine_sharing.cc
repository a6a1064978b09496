#include <chrono>
#include <utility>

#include "common/log/log.h"
#include "engine/engine_parts.h"

/// How a worker lives with the others of its host: one leads, and looks after what belongs to
/// nobody; each hears of what another commits.
namespace flotilla::engine {
namespace {

constexpr std::chrono::milliseconds kSeekLeadership{200};
constexpr std::chrono::seconds kLookAfter{5};

}  // namespace

Result<void> EngineService::Parts::wireSharing() {
  if (!options.sharing) {
    return {};
  }
  leadership = std::make_unique<Leadership>(paths.leaderLock());
  guard = std::make_shared<LedgerGuard>(LedgerGuard::Parts{
      *database, *ledger, *catalog, reactor, options.sharing->worker_id, options.sharing->lives});
  return {};
}

Result<void> EngineService::Parts::reconcile() {
  if (!options.sharing) {
    return lifecycle->recovery.run();
  }
  const bool leads = leadership->seek();
  if (options.sharing->alone) {
    return lifecycle->recovery.run();
  }
  FLO_TRY(networks->join());
  if (leads) {
    lifecycle->recovery.takeOver();
  }
  return {};
}

void EngineService::Parts::lead() {
  const bool leads = leadership->seek();
  if (leads && !std::exchange(leading, true)) {
    log::info("this worker leads now", {{"worker", options.sharing->worker_id}});
    if (options.sharing->on_lead) {
      options.sharing->on_lead();
    }
  }
  if (leads) {
    lookAfterAll();
  }
  reactor.runAfter(leads ? std::chrono::milliseconds(kLookAfter) : kSeekLeadership,
                   [this] { lead(); });
}

void EngineService::Parts::lookAfterAll() {
  if (looking_after.exchange(true)) {
    return;
  }
  const bool posted = work->post([this] {
    lifecycle->recovery.takeOver();
    looking_after = false;
  });
  if (!posted) {
    looking_after = false;
  }
}

void EngineService::Parts::otherCommitted() {
  events->lookAgain();
  if (!lifecycle->awaits() || looking_again.exchange(true)) {
    return;
  }
  const auto look = [this] {
    looking_again = false;  // before looking: what is committed from now on rings again
    lifecycle->lookAgain();
  };
  if (!work->post(look)) {
    looking_again = false;
  }
}

}  // namespace flotilla::engine
