#include "engine/stats/stats_jobs.h"

#include <memory>
#include <utility>

#include "common/os/rfc3339.h"
#include "engine/stats/stats_follower.h"
#include "engine/store/paths.h"

namespace flotilla::engine {
namespace {

constexpr ApiVersion kFirstWithOneShot{1, 41};

/// A container between two runs, or one whose cgroup has just gone, reads as one that does not run.
std::optional<StatsLook> lookAt(StatsJobParts& parts, const std::string& id) {
  const auto found = parts.catalog.find(id);
  if (!found || !*found) {
    return std::nullopt;
  }
  const ContainerRecord& record = **found;
  StatsLook look{{"/" + record.name, record.id}, {}};
  if (!record.state.running()) {
    return look;
  }
  look.sample.usage = readContainerUsage(parts.cgroups, cgroupPath(record.id));
  if (look.sample.usage) {
    look.sample.read_ns = wallClockNanoseconds();
    look.sample.host_cpu = readHostCpu();
    look.sample.host_memory = readHostMemory();
    look.sample.interfaces = readInterfaces(record.state.pid);
  }
  return look;
}

Result<void> serve(const std::shared_ptr<StatsJobParts>& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  const bool stream = job.env.getBool("stream");
  const bool one_shot = job.env.getBool("one-shot") && job.api_version >= kFirstWithOneShot;
  if (stream && one_shot) {
    return Error{ErrorKind::InvalidArgument, "cannot have stream=true and one-shot=true"};
  }
  FLO_TRY_ASSIGN(const auto record,
                 parts->catalog.get(job.args.empty() ? std::string_view() : job.args.front()));
  StatsFollower::Options options;
  options.mode = StatsFollower::Mode::Single;
  if (stream || one_shot) {
    options.mode = stream ? StatsFollower::Mode::Stream : StatsFollower::Mode::OneShot;
  }
  options.look = [parts, id = record->id] { return lookAt(*parts, id); };
  const auto follower =
      std::make_shared<StatsFollower>(parts->reactor, parts->pool, std::move(options));
  Established message;
  message.stream = parts->streams.expect([follower, context](Result<net::StreamPtr> connected) {
    if (!connected) {
      context->complete(std::move(connected).error());
      return;
    }
    context->onCancel([weak = std::weak_ptr(follower)] {
      if (const auto alive = weak.lock()) {
        alive->cancel();
      }
    });
    follower->start(std::move(*connected), [context] { context->complete(JobOutput{}); });
  });
  context->established(std::move(message));
  return {};
}

}  // namespace

void addStatsJobs(JobEngine& engine, StatsJobParts parts_in) {
  const auto parts = std::make_shared<StatsJobParts>(std::move(parts_in));
  engine.handle("container_stats", Lane::Query, [parts](const JobContextPtr& context) {
    if (auto served = serve(parts, context); !served) {
      context->complete(std::move(served).error());
    }
  });
}

}  // namespace flotilla::engine
