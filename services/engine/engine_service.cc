#include "engine/engine_service.h"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/log/log.h"
#include "common/os/atomic_file.h"
#include "common/os/random.h"
#include "engine/engine_parts.h"
#include "engine/jobs/exported_streams.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kHousekeeping{60};

/// Random, version 4, as dockerd's ID.
std::string makeUuid() {
  std::string hex = randomHex(16);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] % 4];
  for (const std::size_t at : {8U, 13U, 18U, 23U}) {
    hex.insert(at, "-");
  }
  return hex;
}

}  // namespace

void EngineService::Parts::finishWrites() {
  const auto nothing = [](Transaction&) -> Result<void> { return {}; };
  if (const auto written = database->write(Durability::Relaxed, nothing); !written) {
    log::warning("the last writes may be lost", {{"error", written.error().message()}});
  }
}

void EngineService::Parts::deliver(JobContextPtr context) {
  if (exporter) {
    context = exportStreams(std::move(context), *exporter);
  }
  if (!guard) {
    return jobs->run(std::move(context));
  }
  guard->admit(std::move(context),
               [this](JobContextPtr admitted) { jobs->run(std::move(admitted)); });
}

void EngineService::Parts::keepHouse() {
  reactor.runAfter(kHousekeeping, [this] {
    lifecycle->waiters.expire();
    if (!work->post([this] { static_cast<void>(ledger->expire().has_value()); })) {
      log::debug("housekeeping is put off: the engine is busy");
    }
    keepHouse();
  });
}

Result<std::unique_ptr<EngineService>> EngineService::create(EngineOptions options,
                                                             Reactor& reactor, JobQueue& queue,
                                                             Metrics& metrics) {
  auto parts = std::make_unique<Parts>(std::move(options), reactor, queue, metrics);
  FLO_TRY(parts->wireStore());
  FLO_TRY(parts->wireImages());
  FLO_TRY(parts->wireNetwork());
  FLO_TRY(parts->wireVolumes());
  FLO_TRY(parts->wireLifecycle());
  FLO_TRY(parts->wireJobs());
  FLO_TRY(parts->wireSharing());
  parts->wireMetrics();
  return std::unique_ptr<EngineService>(new EngineService(std::move(parts)));
}

Result<std::string> EngineService::engineId(const std::string& root) {
  const std::string path = Paths(root, "").engineId();
  auto known = readFile(path, 256);
  if (known) {
    std::erase(*known, '\n');
    return known->empty() ? Error{ErrorKind::Internal, "the engine's ID in " + path + " is empty"}
                          : std::move(known);
  }
  // Another ID would make another host of this one.
  if (known.error().sysErrno() != ENOENT) {
    return known;
  }
  std::error_code failed;
  std::filesystem::create_directories(root, failed);
  const std::string id = makeUuid();
  FLO_TRY(writeFileAtomically(path, id + "\n", 0644));
  return id;
}

EngineService::EngineService(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

EngineService::~EngineService() {
  stop();
  // What is still to be written, and whom it tells, uses the pools; what these still run uses
  // everything else, and may leave something to be written again.
  parts_->finishWrites();
  parts_->queries.reset();
  parts_->bulk.reset();
  parts_->pulls.reset();
  parts_->work.reset();
  parts_->finishWrites();
}

Result<void> EngineService::start() {
  FLO_TRY(parts_->reconcile());
  parts_->reactor.post([parts = parts_.get()] {
    parts->keepHouse();
    if (parts->options.sharing) {
      parts->lead();
    }
  });
  FLO_TRY_ASSIGN(parts_->subscription,
                 parts_->queue.serve({parts_->id}, [parts = parts_.get()](JobContextPtr context) {
                   parts->deliver(std::move(context));
                 }));
  return {};
}

void EngineService::workerGone() { parts_->lookAfterAll(); }

void EngineService::stop() {
  parts_->pull_context->stopping = true;
  parts_->subscription.reset();
}

const std::string& EngineService::id() const { return parts_->id; }

std::string EngineService::streamAddress() const {
  return parts_->exporter ? parts_->exporter->address() : "";
}

}  // namespace flotilla::engine
