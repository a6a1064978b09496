#include "engine/lifecycle/attacher.h"

#include "common/log/log.h"
#include "engine/lifecycle/container_events.h"
#include "engine/lifecycle/predecessor.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {

Result<std::optional<StreamEndpoint>> Attacher::attach(const ContainerRecordPtr& record,
                                                       const AttachOptions& options) {
  const std::string& id = record->id;
  if (record->state.status == ContainerStatus::Paused) {
    return Error{ErrorKind::Conflict,
                 "container " + record->name + " is paused, unpause the container before attach"};
  }
  if (record->state.status == ContainerStatus::Restarting) {
    return Error{ErrorKind::Conflict, "container " + record->name +
                                          " is restarting, wait until the container is running"};
  }
  if (!record->state.running()) {
    if (const auto left = awaitPredecessor(parts_, id); !left) {
      log::debug("attach could not prepare the container",
                 {{"container", id}, {"error", left.error().message()}});
      return std::optional<StreamEndpoint>();
    }
    const auto turn = parts_.gate.take();
    FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "attach"));
    FLO_TRY_ASSIGN(const auto current, parts_.catalog.find(id));
    if (!current) {
      return Error{ErrorKind::NotFound, "No such container: " + id};
    }
    if (!current->state.running()) {
      return attachBeforeStart(current, options);
    }
  }
  note(record);
  return connect(record->id, options);
}

Result<std::optional<StreamEndpoint>> Attacher::attachBeforeStart(const ContainerRecordPtr& record,
                                                                  const AttachOptions& options) {
  if (const auto prepared = launcher_.prepare(*record); !prepared) {
    // The start must not succeed without the streams of who attached before it: its output would be
    // lost to a client that sees exit code 0.
    const std::string error = prepared.error().message();
    log::warning("attach could not prepare the container",
                 {{"container", record->id}, {"error", error}});
    FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
      return changeState(transaction, record->id, [&](ContainerState& state) -> Result<void> {
        state.attach_error = error;
        return {};
      });
    }));
    return std::optional<StreamEndpoint>();
  }
  note(record);
  auto endpoint = connect(record->id, options);
  if (endpoint && !*endpoint) {
    FLO_TRY_ASSIGN(const bool replaced, launcher_.replace(*record));
    return replaced ? connect(record->id, options) : std::move(endpoint);
  }
  return endpoint;
}

void Attacher::note(const ContainerRecordPtr& record) {
  parts_.database.writeAsync(
      Durability::Relaxed,
      [this, record](Transaction& transaction) {
        return parts_.events.append(transaction, containerEvent(*record, "attach"));
      },
      [](const Result<void>&) {});
}

Result<std::optional<StreamEndpoint>> Attacher::connect(const std::string& id,
                                                        const AttachOptions& options) {
  auto endpoint = parts_.sessions.attach(id, options);
  if (!endpoint && endpoint.error().kind() == ErrorKind::Unavailable) {
    return std::optional<StreamEndpoint>();  // exited meanwhile, or before
  }
  if (!endpoint) {
    return std::move(endpoint).error();
  }
  return std::optional<StreamEndpoint>(std::move(*endpoint));
}

Result<void> Attacher::resize(const ContainerRecord& record, unsigned height, unsigned width) {
  if (!record.state.running()) {
    return Error{ErrorKind::Conflict, "container " + record.id + " is not running"};
  }
  return parts_.sessions.resize(record.id, height, width);
}

}  // namespace flotilla::engine
