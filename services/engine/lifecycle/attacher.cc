#include "engine/lifecycle/attacher.h"

#include "common/log/log.h"
#include "engine/lifecycle/container_events.h"

namespace flotilla::engine {

Result<std::optional<StreamEndpoint>> Attacher::attach(const ContainerRecordPtr& record,
                                                       const AttachOptions& options) {
  const std::string& id = record->id;
  if (record->state.status == ContainerStatus::Paused) {
    return Error{ErrorKind::Conflict, "container " + record->name +
                                          " is paused, unpause the container before attach"};
  }
  if (record->state.status == ContainerStatus::Restarting) {
    return Error{ErrorKind::Conflict, "container " + record->name +
                                          " is restarting, wait until the container is running"};
  }
  if (!record->state.running()) {
    const auto turn = parts_.gate.take();
    FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "attach"));
    FLO_TRY_ASSIGN(const auto current, parts_.catalog.find(id));
    if (!current) {
      return Error{ErrorKind::NotFound, "No such container: " + id};
    }
    if (!current->state.running()) {
      if (const auto prepared = launcher_.prepare(*current); !prepared) {
        log::debug("attach could not prepare the container",
                   {{"container", id}, {"error", prepared.error().message()}});
        return std::optional<StreamEndpoint>();
      }
    }
  }
  parts_.database.writeAsync(
      Durability::Relaxed,
      [this, record](Transaction& transaction) {
        return parts_.events.append(transaction, containerEvent(*record, "attach"));
      },
      [](const Result<void>&) {});
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
