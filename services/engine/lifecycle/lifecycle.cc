#include "engine/lifecycle/lifecycle.h"

#include <utility>

#include "common/log/log.h"
#include "engine/lifecycle/container_events.h"
#include "engine/lifecycle/names.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {

Lifecycle::Lifecycle(LifecycleParts parts_in)
    : parts(std::move(parts_in)),
      stopped(parts.reactor, parts.work),
      waiters(parts),
      consumer(parts, waiters, stopped),
      watcher(parts, consumer),
      remover(parts, waiters, consumer),
      launcher(parts, consumer, watcher),
      starter(parts, launcher, consumer, stopped),
      stopper(parts, stopped),
      updater(parts),
      creator(parts),
      execs(parts),
      attacher(parts, launcher),
      recovery(parts, watcher, consumer, remover, starter) {
  watcher.setOnGone([this](const std::string& id) { recovery.shimGone(id); });
  consumer.setHooks({.on_exited = [this](const std::string& id) { onExited(id); }});
  starter.setOnFailed([this](const std::string& id) { onExited(id); });
}

void Lifecycle::onExited(const std::string& id) {
  const auto record = parts.catalog.find(id);
  if (!record || !*record || !(*record)->spec->host.auto_remove) {
    return;
  }
  // Not here: whoever consumes the journal may hold the container's lock.
  const auto remove = [this, id] {
    const auto removed = remover.remove(id, RemoveVolumes::Anonymous);
    if (!removed && removed.error().kind() != ErrorKind::NotFound) {
      log::warning("cannot remove a container after its exit",
                   {{"container", id}, {"error", removed.error().message()}});
    }
  };
  if (!parts.work.post(remove)) {
    log::warning("a container is left for the next start to remove", {{"container", id}});
  }
}

void Lifecycle::lookAgain() {
  waiters.lookAgain();
  for (const std::string& id : stopped.awaited()) {
    const auto record = parts.catalog.find(id);
    if (record && (!*record || !(*record)->state.running())) {
      stopped.happened(id);
    }
  }
}

void Lifecycle::restart(const std::string& id, const Stopper::StopOptions& options,
                        std::optional<unsigned> first_found, Stopper::Done done) {
  if (first_found) {
    const auto consumed = consumer.consume(id);
    if (!consumed || starter.ranSince(id, *first_found)) {
      done(consumed);  // restarted by an attempt that could not say so
      return;
    }
  }
  stopper.stop(id, options, [this, id, done = std::move(done)](const Result<void>& stopped_now) {
    if (!stopped_now && stopped_now.error().kind() != ErrorKind::NotModified) {
      done(stopped_now);
      return;
    }
    auto started = starter.start(id);
    if (!started && started.error().kind() != ErrorKind::NotModified) {
      done(started);
      return;
    }
    const auto record = parts.catalog.find(id);
    if (record && *record) {
      started = parts.database.write(Durability::Relaxed, [&](Transaction& transaction) {
        return parts.events.append(transaction, containerEvent(**record, "restart"));
      });
    }
    done(started);
  });
}

void Lifecycle::remove(const std::string& id, const RemoveOptions& options, Stopper::Done done) {
  const auto record = parts.catalog.find(id);
  if (!record || !*record) {
    done(record ? Error{ErrorKind::NotFound, "No such container: " + id} : record.error());
    return;
  }
  const RemoveVolumes volumes = options.volumes ? RemoveVolumes::Anonymous : RemoveVolumes::Keep;
  const ContainerState& state = (*record)->state;
  if (!state.running()) {
    done(remover.remove(id, volumes));
    return;
  }
  if (!options.force) {
    const std::string why = state.status == ContainerStatus::Paused
                                ? "container is paused and must be unpaused first"
                                : "container is " + std::string(statusName(state.status)) +
                                      ": stop the container before removing or force remove";
    done(Error{ErrorKind::Conflict, "cannot remove container \"" + options.shown + "\": " + why});
    return;
  }
  stopper.killForRemoval(
      id, [this, id, volumes, done = std::move(done)](const Result<void>& killed) {
        if (!killed) {
          done(killed);
          return;
        }
        auto removed = remover.remove(id, volumes);
        // --rm may have been faster: gone is what was asked.
        const bool gone = !removed && removed.error().kind() == ErrorKind::NotFound;
        done(gone ? Result<void>{} : removed);
      });
}

Result<void> Lifecycle::rename(const std::string& id, const std::string& name) {
  FLO_TRY_ASSIGN(auto lock, parts.locks.take(id, "rename"));
  FLO_TRY_ASSIGN(const auto record, parts.catalog.find(id));
  if (!record) {
    return Error{ErrorKind::NotFound, "No such container: " + id};
  }
  if (name.empty()) {
    return Error{ErrorKind::InvalidArgument, "Neither old nor new names may be empty"};
  }
  if ((name.front() == '/' ? name.substr(1) : name) == record->name) {
    return Error{ErrorKind::InvalidArgument,
                 "Renaming a container with the same name as its current name"};
  }
  const auto bare = checkContainerName(name);
  if (!bare) {
    return checkContainerName(name.front() == '/' ? name : "/" + name)
        .error()
        .context("Error when allocating new name");
  }
  auto renamed =
      parts.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
        FLO_TRY(renameContainer(transaction, id, *bare));
        ContainerRecord after = *record;
        after.name = *bare;
        return parts.events.append(
            transaction, containerEvent(after, "rename", {{"oldName", "/" + record->name}}));
      });
  return renamed
             ? renamed
             : Result<void>{std::move(renamed).error().context("Error when allocating new name")};
}

}  // namespace flotilla::engine
