#include "engine/store/container_store.h"

#include <utility>

namespace flotilla::engine {
namespace {

constexpr std::int64_t kTombstoneNs = 600LL * 1'000'000'000LL;

constexpr std::string_view kStateColumns =
    "status, pid, pid_start, boot, exit_code, oom_killed, error, started_ns, finished_ns,"
    " restart_count, manually_stopped, run, journal_seq, attached, prepared, endpoint, attach_error";

ContainerState readState(const Statement& row, int first) {
  ContainerState state;
  state.status = statusFromName(row.view(first));
  state.pid = static_cast<int>(row.integer(first + 1));
  state.pid_start = static_cast<std::uint64_t>(row.integer(first + 2));
  state.boot = row.text(first + 3);
  state.exit_code = static_cast<int>(row.integer(first + 4));
  state.oom_killed = row.integer(first + 5) != 0;
  state.error = row.text(first + 6);
  state.started_ns = row.integer(first + 7);
  state.finished_ns = row.integer(first + 8);
  state.restart_count = static_cast<int>(row.integer(first + 9));
  state.manually_stopped = row.integer(first + 10) != 0;
  state.run = static_cast<unsigned>(row.integer(first + 11));
  state.journal_seq = static_cast<std::uint64_t>(row.integer(first + 12));
  state.attached = row.integer(first + 13) != 0;
  state.prepared = row.integer(first + 14) != 0;
  state.endpoint = decodeEndpoint(row.text(first + 15));
  state.attach_error = row.text(first + 16);
  return state;
}

void bindState(Statement& statement, const ContainerState& state) {
  statement.bind(statusName(state.status))
      .bind(state.pid)
      .bind(static_cast<std::int64_t>(state.pid_start))
      .bind(state.boot)
      .bind(state.exit_code)
      .bind(state.oom_killed ? 1 : 0)
      .bind(state.error)
      .bind(state.started_ns)
      .bind(state.finished_ns)
      .bind(state.restart_count)
      .bind(state.manually_stopped ? 1 : 0)
      .bind(static_cast<std::int64_t>(state.run))
      .bind(static_cast<std::int64_t>(state.journal_seq))
      .bind(state.attached ? 1 : 0)
      .bind(state.prepared ? 1 : 0)
      .bind(encodeEndpoint(state.endpoint))
      .bind(state.attach_error);
}

Result<std::int64_t> nextRevision(Transaction& transaction) {
  FLO_TRY_ASSIGN(auto counter,
                 transaction.prepare("UPDATE counters SET value = value + 1 WHERE name ="
                                     " 'containers' RETURNING value"));
  FLO_TRY_ASSIGN(const bool row, counter.step());
  if (!row) {
    return Error{ErrorKind::Internal, "database has no container counter"};
  }
  const std::int64_t revision = counter.integer(0);
  FLO_TRY(counter.run());
  return revision;
}

Result<std::shared_ptr<const ContainerSpec>> loadSpec(Transaction& transaction,
                                                      const std::string& id) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT spec FROM container_specs WHERE id = ?"));
  select.bind(id);
  FLO_TRY_ASSIGN(const bool row, select.step());
  if (!row) {
    return Error{ErrorKind::Internal, "container " + id + " is stored without its spec"};
  }
  FLO_TRY_ASSIGN(auto spec, decodeSpec(select.text(0)));
  return std::make_shared<const ContainerSpec>(std::move(spec));
}

}  // namespace

Error noSuchContainer(std::string_view reference) {
  return Error{ErrorKind::NotFound, "No such container: " + std::string(reference)};
}

Error nameConflict(const std::string& name, const std::string& owner_id) {
  return Error{ErrorKind::Conflict,
               "Conflict. The container name \"/" + name + "\" is already in use by container \"" +
                   owner_id +
                   "\". You have to remove (or rename) that container to be able to reuse"
                   " that name."};
}

Result<void> insertContainer(Transaction& transaction, ContainerRecord& record) {
  FLO_TRY_ASSIGN(const auto owner, ownerOfName(transaction, record.name));
  if (owner) {
    return nameConflict(record.name, *owner);
  }
  FLO_TRY_ASSIGN(const std::int64_t revision, nextRevision(transaction));
  FLO_TRY_ASSIGN(auto insert,
                 transaction.prepare("INSERT INTO containers(id, name, created_ns, revision,"
                                     " spec_revision, " +
                                     std::string(kStateColumns) +
                                     ") VALUES(?,?,?,?,?, ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  record.revision = record.spec_revision = static_cast<std::uint64_t>(revision);
  insert.bind(record.id).bind(record.name).bind(record.created_ns).bind(revision).bind(revision);
  bindState(insert, record.state);
  FLO_TRY(insert.run());
  FLO_TRY_ASSIGN(auto spec,
                 transaction.prepare("INSERT INTO container_specs(id, spec) VALUES(?,?)"));
  return spec.bind(record.id).bind(encodeSpec(*record.spec)).run();
}

Result<std::optional<ContainerRecord>> loadContainer(Transaction& transaction,
                                                     const std::string& id) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare(
                                  "SELECT name, created_ns, revision, spec_revision, spec, " +
                                  std::string(kStateColumns) +
                                  " FROM containers JOIN container_specs USING(id) WHERE id = ?"));
  select.bind(id);
  FLO_TRY_ASSIGN(const bool row, select.step());
  if (!row) {
    return std::optional<ContainerRecord>();
  }
  ContainerRecord record;
  record.id = id;
  record.name = select.text(0);
  record.created_ns = select.integer(1);
  record.revision = static_cast<std::uint64_t>(select.integer(2));
  record.spec_revision = static_cast<std::uint64_t>(select.integer(3));
  FLO_TRY_ASSIGN(auto spec, decodeSpec(select.text(4)));
  record.spec = std::make_shared<const ContainerSpec>(std::move(spec));
  record.state = readState(select, 5);
  return std::optional<ContainerRecord>(std::move(record));
}

Result<std::optional<ContainerState>> findState(Transaction& transaction, const std::string& id) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT " + std::string(kStateColumns) +
                                                  " FROM containers WHERE id = ?"));
  select.bind(id);
  FLO_TRY_ASSIGN(const bool row, select.step());
  return row ? std::optional<ContainerState>(readState(select, 0)) : std::nullopt;
}

Result<void> changeState(Transaction& transaction, const std::string& id,
                         const std::function<Result<void>(ContainerState&)>& change) {
  FLO_TRY_ASSIGN(auto found, findState(transaction, id));
  if (!found) {
    return noSuchContainer(id);
  }
  ContainerState& state = *found;
  FLO_TRY(change(state));
  FLO_TRY_ASSIGN(const std::int64_t revision, nextRevision(transaction));
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE containers SET (" + std::string(kStateColumns) +
                          ", revision) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?, ?) WHERE id = ?"));
  bindState(update, state);
  return update.bind(revision).bind(id).run();
}

Result<void> replaceSpec(Transaction& transaction, const std::string& id,
                         const ContainerSpec& spec) {
  FLO_TRY_ASSIGN(const std::int64_t revision, nextRevision(transaction));
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE containers SET spec_revision = ?1, revision = ?1 WHERE id = ?2"));
  FLO_TRY(update.bind(revision).bind(id).run());
  if (transaction.changes() == 0) {
    return noSuchContainer(id);
  }
  FLO_TRY_ASSIGN(auto replace,
                 transaction.prepare("UPDATE container_specs SET spec = ? WHERE id = ?"));
  return replace.bind(encodeSpec(spec)).bind(id).run();
}

Result<void> renameContainer(Transaction& transaction, const std::string& id,
                             const std::string& name) {
  FLO_TRY_ASSIGN(const auto owner, ownerOfName(transaction, name));
  if (owner) {
    return nameConflict(name, *owner);
  }
  FLO_TRY_ASSIGN(const std::int64_t revision, nextRevision(transaction));
  FLO_TRY_ASSIGN(auto update,
                 transaction.prepare("UPDATE containers SET name = ?, revision = ? WHERE id = ?"));
  FLO_TRY(update.bind(name).bind(revision).bind(id).run());
  return transaction.changes() == 1 ? Result<void>{} : Result<void>{noSuchContainer(id)};
}

Result<bool> deleteContainer(Transaction& transaction, const Tombstone& tombstone,
                             std::int64_t now_ns) {
  FLO_TRY_ASSIGN(auto remove, transaction.prepare("DELETE FROM containers WHERE id = ?"));
  FLO_TRY(remove.bind(tombstone.id).run());
  if (transaction.changes() == 0) {
    return false;
  }
  FLO_TRY_ASSIGN(auto spec, transaction.prepare("DELETE FROM container_specs WHERE id = ?"));
  FLO_TRY(spec.bind(tombstone.id).run());
  FLO_TRY_ASSIGN(auto execs, transaction.prepare("DELETE FROM execs WHERE container = ?"));
  FLO_TRY(execs.bind(tombstone.id).run());
  FLO_TRY_ASSIGN(const std::int64_t revision, nextRevision(transaction));
  FLO_TRY_ASSIGN(auto expire, transaction.prepare("DELETE FROM tombstones WHERE removed_ns < ?"));
  FLO_TRY(expire.bind(now_ns - kTombstoneNs).run());
  FLO_TRY_ASSIGN(
      auto insert,
      transaction.prepare("INSERT OR REPLACE INTO tombstones(id, revision, exit_code, error,"
                          " removed_ns) VALUES(?,?,?,?,?)"));
  FLO_TRY(insert.bind(tombstone.id)
              .bind(revision)
              .bind(tombstone.exit_code)
              .bind(tombstone.error)
              .bind(now_ns)
              .run());
  return true;
}

Result<std::optional<Tombstone>> findTombstone(Transaction& transaction, const std::string& id) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT exit_code, error FROM tombstones WHERE id = ?"));
  select.bind(id);
  FLO_TRY_ASSIGN(const bool row, select.step());
  if (!row) {
    return std::optional<Tombstone>();
  }
  return std::optional<Tombstone>(
      Tombstone{id, static_cast<int>(select.integer(0)), select.text(1)});
}

Result<std::vector<ContainerRecordPtr>> containersSince(
    Transaction& transaction, std::uint64_t revision,
    const std::function<ContainerRecordPtr(const std::string& id)>& known) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT id, revision, name, created_ns, spec_revision, " +
                                     std::string(kStateColumns) +
                                     " FROM containers WHERE revision > ? ORDER BY revision"));
  select.bind(static_cast<std::int64_t>(revision));
  std::vector<ContainerRecordPtr> changed;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, select.step());
    if (!row) {
      return changed;
    }
    ContainerRecord record;
    record.id = select.text(0);
    record.revision = static_cast<std::uint64_t>(select.integer(1));
    auto old = known(record.id);
    if (old && old->revision == record.revision) {
      changed.push_back(std::move(old));
      continue;
    }
    record.name = select.text(2);
    record.created_ns = select.integer(3);
    record.spec_revision = static_cast<std::uint64_t>(select.integer(4));
    if (old && old->spec_revision == record.spec_revision) {
      record.spec = old->spec;
    } else {
      FLO_TRY_ASSIGN(record.spec, loadSpec(transaction, record.id));
    }
    record.state = readState(select, 5);
    changed.push_back(std::make_shared<const ContainerRecord>(std::move(record)));
  }
}

Result<std::vector<ImageUser>> usersOfImage(Transaction& transaction, const std::string& image_id) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT id, json_extract(spec, '$.image_id') AS image,"
                                     " status FROM containers JOIN container_specs USING(id)"
                                     " WHERE ?1 = '' OR image = ?1"));
  select.bind(image_id);
  std::vector<ImageUser> users;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, select.step());
    if (!row) {
      return users;
    }
    ContainerState state;
    state.status = statusFromName(select.view(2));
    users.push_back({select.text(0), select.text(1), state.running()});
  }
}

Result<std::optional<std::string>> ownerOfName(Transaction& transaction, const std::string& name) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT id FROM containers WHERE name = ?"));
  select.bind(name);
  FLO_TRY_ASSIGN(const bool row, select.step());
  return row ? std::optional<std::string>(select.text(0)) : std::nullopt;
}

Result<std::size_t> containerCount(Transaction& transaction) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT count(*) FROM containers"));
  FLO_TRY_ASSIGN(const bool row, select.step());
  return row ? static_cast<std::size_t>(select.integer(0)) : 0;
}

Result<std::unordered_set<std::string>> containerIds(Transaction& transaction) {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT id FROM containers"));
  std::unordered_set<std::string> ids;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, select.step());
    if (!row) {
      return ids;
    }
    ids.insert(select.text(0));
  }
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> removalsSince(Transaction& transaction,
                                                                         std::uint64_t revision) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT id, revision FROM tombstones WHERE revision > ?"));
  select.bind(static_cast<std::int64_t>(revision));
  std::vector<std::pair<std::string, std::uint64_t>> removed;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, select.step());
    if (!row) {
      return removed;
    }
    removed.emplace_back(select.text(0), static_cast<std::uint64_t>(select.integer(1)));
  }
}

}  // namespace flotilla::engine
