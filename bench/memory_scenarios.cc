// Memory as proportional set size (PSS): the daemon's whole process tree, what a running container
// adds, and what is left behind by many runs.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "bench/process_tree.h"
#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

Result<void> needPids(const Context& context) {
  for (const auto& side : context.sides) {
    if (side.pid <= 0) {
      return Error(ErrorKind::InvalidArgument,
                   "memory figures need --pid-a and --pid-b (or --pidfile-a, --pidfile-b)");
    }
  }
  return {};
}

/// What `count` running containers add: growth of the daemon's tree plus their supervisors.
Result<double> perContainer(const Context& context, const Side& side, int count) {
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  const double before = pssBytes(processTree(side.pid));
  std::vector<std::string> ids;
  std::vector<int> init_pids;
  for (int index = 0; index < count; ++index) {
    FLO_TRY_ASSIGN(auto id, docker.launch({.image = context.image, .command = "exec sleep 3600"}));
    FLO_TRY_ASSIGN(const int pid, docker.initPid(id));
    ids.push_back(std::move(id));
    init_pids.push_back(pid);
  }
  // Containers may be children of supervisors that are the daemon's own children: neither counts
  // twice.
  std::set<int> counted = processTree(side.pid);
  counted.merge(supervisorsOf(init_pids));
  for (const int pid : init_pids) {
    for (const int below : processTree(pid)) {
      counted.erase(below);
    }
  }
  const double after = pssBytes(counted);
  for (const auto& id : ids) {
    FLO_TRY(docker.remove(id, true));
  }
  return (after - before) / count;
}

}  // namespace

Result<void> measureMemory(Context& context) {
  FLO_TRY(needPids(context));
  Pair<double> idle{};
  Pair<double> each{};
  for (const std::size_t side : {0U, 1U}) {
    idle[side] = pssBytes(processTree(context.sides[side].pid)) / kMebibyte;
    FLO_TRY_ASSIGN(const double bytes,
                   perContainer(context, context.sides[side], context.amounts.running));
    each[side] = bytes / kMebibyte;
  }
  context.report->add({"daemon, no container running (PSS)", "MiB", idle[0], idle[1]});
  context.report->add({fmt::format("each of {} running containers (PSS)", context.amounts.running),
                       "MiB", each[0], each[1]});
  return {};
}

Result<void> measureGrowth(Context& context) {
  FLO_TRY(needPids(context));
  Pair<double> growth{};
  for (const std::size_t side : {0U, 1U}) {
    const Side& where = context.sides[side];
    const double before = pssBytes(processTree(where.pid));
    const auto run_many = [&context, &where](int) -> Result<void> {
      FLO_TRY_ASSIGN(auto docker, Docker::connect(where.endpoint));
      for (int run = 0; run < context.amounts.growth_runs / 8; ++run) {
        FLO_TRY(docker.run({.image = context.image, .command = ""}));
      }
      return {};
    };
    FLO_TRY(inParallel(8, run_many));
    growth[side] = (pssBytes(processTree(where.pid)) - before) / kMebibyte;
  }
  context.report->add(
      {fmt::format("daemon's growth over {} runs (PSS)", context.amounts.growth_runs), "MiB",
       growth[0], growth[1]});
  return {};
}

}  // namespace flotilla::bench
