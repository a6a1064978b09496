#include "engine/lifecycle/updater.h"

#include <algorithm>
#include <utility>

#include "common/model/container_update.h"
#include "engine/lifecycle/container_events.h"
#include "engine/runtime/oci_resources.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

/// Without a shim the next start reads everything from the record.
Result<void> fineWithoutShim(Result<void> told) {
  return told || told.error().kind() == ErrorKind::Unavailable ? Result<void>{} : told;
}

}  // namespace

Result<void> Updater::tellShim(const std::string& id, const model::HostConfig& asked,
                               const model::HostConfig& merged) {
  if (const std::string limits = ociLimitsUpdate(asked, merged); !limits.empty()) {
    FLO_TRY(fineWithoutShim(parts_.runtime.setLimits(id, limits)));
  }
  if (asked.restart_policy.empty()) {
    return {};
  }
  const auto retries = static_cast<unsigned>(std::max(0, merged.restart_max_retries));
  return fineWithoutShim(parts_.runtime.setRestartPolicy(id, {merged.restart_policy, retries}));
}

Result<void> Updater::update(const std::string& id, const model::HostConfig& asked) {
  FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "update"));
  FLO_TRY_ASSIGN(const auto record, parts_.catalog.find(id));
  if (!record) {
    return Error{ErrorKind::NotFound, "No such container: " + id};
  }
  const std::string cannot = "Cannot update container " + id;
  auto merged = model::mergeUpdate(record->spec->host, asked);
  if (!merged) {
    return std::move(merged).error().context(cannot);
  }
  if (auto told = tellShim(id, asked, *merged); !told) {
    return std::move(told).error().context(cannot);
  }
  ContainerSpec spec = *record->spec;
  spec.host = *std::move(merged);
  return parts_.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY(replaceSpec(transaction, id, spec));
    return parts_.events.append(transaction, containerEvent(*record, "update"));
  });
}

}  // namespace flotilla::engine
