#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

// containers.revision and tombstones.revision come from the counter "containers": a reader that
// knows revision R is brought up to date by the rows above R (ContainerCatalog).
constexpr std::string_view kStepOne = R"sql(
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES('containers', 0);

CREATE TABLE containers(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_ns INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  spec_revision INTEGER NOT NULL,
  spec TEXT NOT NULL,
  status TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_start INTEGER NOT NULL,
  boot TEXT NOT NULL,
  exit_code INTEGER NOT NULL,
  oom_killed INTEGER NOT NULL,
  error TEXT NOT NULL,
  started_ns INTEGER NOT NULL,
  finished_ns INTEGER NOT NULL,
  restart_count INTEGER NOT NULL,
  manually_stopped INTEGER NOT NULL,
  run INTEGER NOT NULL,
  journal_seq INTEGER NOT NULL,
  attached INTEGER NOT NULL,
  prepared INTEGER NOT NULL,
  endpoint TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX containers_revision ON containers(revision);

CREATE TABLE tombstones(
  id TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  exit_code INTEGER NOT NULL,
  error TEXT NOT NULL,
  removed_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tombstones_revision ON tombstones(revision);

CREATE TABLE events(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ns INTEGER NOT NULL,
  type TEXT NOT NULL,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  attributes TEXT NOT NULL
);
CREATE INDEX events_time ON events(time_ns);

CREATE TABLE waiters(
  job TEXT PRIMARY KEY,
  container TEXT NOT NULL,
  condition TEXT NOT NULL,
  position INTEGER NOT NULL,
  registered_ns INTEGER NOT NULL,
  answered INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX waiters_container ON waiters(container);

CREATE TABLE execs(
  id TEXT PRIMARY KEY,
  container TEXT NOT NULL,
  config TEXT NOT NULL,
  state TEXT NOT NULL,
  pid INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER,
  finished_ns INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX execs_container ON execs(container);

CREATE TABLE jobs(
  id TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  state TEXT NOT NULL,
  result TEXT NOT NULL,
  finished_ns INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

// A state changes several times a run, a spec hardly ever: apart from each other, a change of state
// writes one small row instead of kilobytes.
constexpr std::string_view kSpecsApart = R"sql(
CREATE TABLE container_specs(id TEXT PRIMARY KEY, spec TEXT NOT NULL);
INSERT INTO container_specs SELECT id, spec FROM containers;
ALTER TABLE containers DROP COLUMN spec;
)sql";

// owner: the worker that has a job; before: what the world looked like when it was first taken.
constexpr std::string_view kJobsOfManyWorkers = R"sql(
ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN before TEXT NOT NULL DEFAULT '';
)sql";

constexpr std::string_view kAttachErrors = R"sql(
ALTER TABLE containers ADD COLUMN attach_error TEXT NOT NULL DEFAULT '';
)sql";

}  // namespace

std::vector<Migration> coreMigrations() {
  return {{"core", 1, kStepOne},
          {"specs", 1, kSpecsApart},
          {"jobs", 1, kJobsOfManyWorkers},
          {"attach errors", 1, kAttachErrors}};
}

}  // namespace flotilla::engine
