// Whole container lives: create, start, wait, remove; one at a time and many at once; exec.
#include <fmt/format.h>

#include <atomic>
#include <mutex>

#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

struct RunTimes {
  Pair<Samples> create;
  Pair<Samples> start;
  Pair<Samples> wait;
  Pair<Samples> remove;
  Pair<Samples> total;
};

Result<void> timeOneRun(Docker& docker, const ContainerSpec& spec, std::size_t side,
                        RunTimes& times) {
  Stopwatch whole;
  Stopwatch step;
  FLO_TRY_ASSIGN(const auto id, docker.create(spec));
  times.create[side].add(step.lap());
  FLO_TRY(docker.start(id));
  times.start[side].add(step.lap());
  FLO_TRY(docker.wait(id));
  times.wait[side].add(step.lap());
  FLO_TRY(docker.remove(id));
  times.remove[side].add(step.lap());
  times.total[side].add(whole.lap());
  return {};
}

Result<void> measureRunsOn(Context& context, const std::string& network) {
  const ContainerSpec spec{.image = context.image, .command = "", .network = network};
  FLO_TRY_ASSIGN(auto docker_a, Docker::connect(context.sides[0].endpoint));
  FLO_TRY_ASSIGN(auto docker_b, Docker::connect(context.sides[1].endpoint));
  const Pair<Docker*> dockers{&docker_a, &docker_b};
  FLO_TRY(docker_a.run(spec));  // the first run of a daemon pays for what later ones share
  FLO_TRY(docker_b.run(spec));
  RunTimes times;
  for (int run = 0; run < context.amounts.runs; ++run) {
    for (const std::size_t side : {0U, 1U}) {
      FLO_TRY(timeOneRun(*dockers[side], spec, side, times));
    }
  }
  const std::string where = network == "none" ? " (no network)" : " (bridge)";
  addMedian(context, "run total" + where, times.total);
  addP99(context, "run total p99" + where, times.total);
  addMedian(context, "  create" + where, times.create);
  addMedian(context, "  start" + where, times.start);
  addMedian(context, "  wait" + where, times.wait);
  addMedian(context, "  remove" + where, times.remove);
  return {};
}

/// `runs` runs, `width` at a time. Adds each run's milliseconds; returns runs a second.
Result<double> runWide(const Side& side, const ContainerSpec& spec, int width, int runs,
                       Samples& times) {
  std::atomic<int> left{runs};
  std::mutex mutex;
  Stopwatch whole;
  const auto run_until_none_left = [&side, &spec, &left, &mutex, &times](int) -> Result<void> {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    Samples own;
    while (left.fetch_sub(1) > 0) {
      Stopwatch watch;
      FLO_TRY(docker.run(spec));
      own.add(watch.lap());
    }
    const std::lock_guard lock(mutex);
    times.add(own);
    return {};
  };
  FLO_TRY(inParallel(width, run_until_none_left));
  return runs / (whole.lap() / 1000);
}

Result<void> measureWidth(Context& context, int width) {
  const ContainerSpec spec{.image = context.image, .command = ""};
  Pair<Samples> rates;
  Pair<Samples> times;
  for (int round = 0; round < context.amounts.wide_rounds; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      FLO_TRY_ASSIGN(const double rate, runWide(context.sides[side], spec, width,
                                                context.amounts.wide_runs, times[side]));
      rates[side].add(rate);
    }
  }
  context.report->add({fmt::format("{} wide (bridge)", width), "runs/s", rates[0].median(),
                       rates[1].median(), Better::Higher});
  addMedian(context, fmt::format("{} in flight: run median", width), times);
  addP99(context, fmt::format("{} in flight: run p99", width), times);
  return {};
}

Result<void> execOnce(Docker& control, const Side& side, const std::string& container) {
  FLO_TRY_ASSIGN(
      const auto created,
      control.post("/v1.41/containers/" + container + "/exec",
                   R"({"AttachStdout":true,"AttachStderr":true,"Cmd":["/bin/true"]})", 201));
  const auto quote = created.find("\":\"");
  const std::string id = quote == std::string::npos ? "" : created.substr(quote + 3, 64);
  FLO_TRY_ASSIGN(auto connection, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(auto stream,
                 std::move(connection)
                     .hijack("/v1.41/exec/" + id + "/start", R"({"Detach":false,"Tty":false})"));
  char buffer[4096];
  for (;;) {
    FLO_TRY_ASSIGN(const auto got, stream.readRaw(buffer));
    if (got == 0) {
      break;
    }
  }
  FLO_TRY_ASSIGN(const auto state, control.get("/v1.41/exec/" + id + "/json"));
  if (state.find("\"ExitCode\":0") == std::string::npos) {
    return Error(ErrorKind::Internal, "exec did not exit with 0: " + state);
  }
  return {};
}

}  // namespace

Result<void> measureRuns(Context& context) {
  FLO_TRY(measureRunsOn(context, "bridge"));
  return measureRunsOn(context, "none");
}

Result<void> measureWide(Context& context) {
  FLO_TRY(measureWidth(context, 8));
  return measureWidth(context, 32);
}

Result<void> measureExec(Context& context) {
  const ContainerSpec spec{.image = context.image, .command = "exec sleep 3600"};
  FLO_TRY_ASSIGN(auto docker_a, Docker::connect(context.sides[0].endpoint));
  FLO_TRY_ASSIGN(auto docker_b, Docker::connect(context.sides[1].endpoint));
  const Pair<Docker*> dockers{&docker_a, &docker_b};
  Pair<std::string> ids;
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(ids[side], dockers[side]->launch(spec));
    FLO_TRY(execOnce(*dockers[side], context.sides[side], ids[side]));
  }
  Pair<Samples> times;
  for (int round = 0; round < context.amounts.execs; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      Stopwatch watch;
      FLO_TRY(execOnce(*dockers[side], context.sides[side], ids[side]));
      times[side].add(watch.lap());
    }
  }
  addMedian(context, "exec total (create, start, output, inspect)", times);
  addP99(context, "exec total p99", times);
  FLO_TRY(docker_a.remove(ids[0], true));
  return docker_b.remove(ids[1], true);
}

}  // namespace flotilla::bench
