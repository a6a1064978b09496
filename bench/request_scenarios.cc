// Answers that change nothing: ping, inspect, lists; and what thousands of open connections cost.
#include <fmt/format.h>

#include <atomic>

#include "bench/process_tree.h"
#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

/// Requests a second on one kept-alive connection; each one's milliseconds go to `times`.
Result<double> requestRate(Docker& docker, const std::string& target, int count, Samples& times) {
  Stopwatch whole;
  Stopwatch each;
  for (int request = 0; request < count; ++request) {
    FLO_TRY(docker.get(target));
    times.add(each.lap());
  }
  return count / (whole.lap() / 1000);
}

/// The same target on both sides in alternation, `rounds` times.
Result<void> compareRates(Context& context, const std::string& figure,
                          const Pair<std::string>& targets, int count) {
  constexpr int kRounds = 4;
  FLO_TRY_ASSIGN(auto docker_a, Docker::connect(context.sides[0].endpoint));
  FLO_TRY_ASSIGN(auto docker_b, Docker::connect(context.sides[1].endpoint));
  const Pair<Docker*> dockers{&docker_a, &docker_b};
  Pair<Samples> rates;
  Pair<Samples> times;
  for (int round = 0; round < kRounds; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      FLO_TRY_ASSIGN(const double rate, requestRate(*dockers[side], targets[side],
                                                    std::max(1, count / kRounds), times[side]));
      rates[side].add(rate);
    }
  }
  context.report->add({figure, "1/s", rates[0].median(), rates[1].median(), Better::Higher});
  addP99(context, figure + " p99", times);
  return {};
}

/// The same target over `width` connections at once.
Result<void> compareWideRates(Context& context, const std::string& figure,
                              const std::string& target, int width) {
  Pair<Samples> rates;
  for (int round = 0; round < 2; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      Stopwatch whole;
      const int count = std::max(1, context.amounts.requests / width);
      const auto ask_many = [&context, side, &target, count](int) -> Result<void> {
        FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
        Samples unused;
        FLO_TRY(requestRate(docker, target, count, unused));
        return {};
      };
      FLO_TRY(inParallel(width, ask_many));
      rates[side].add(count * width / (whole.lap() / 1000));
    }
  }
  context.report->add({figure, "1/s", rates[0].median(), rates[1].median(), Better::Higher});
  return {};
}

/// Makes containers on one side, the first `run` of which have also run and exited.
Result<std::vector<std::string>> makeStopped(const Context& context, const Side& side, int count,
                                             int run) {
  constexpr int kWidth = 8;
  std::vector<std::string> ids(static_cast<std::size_t>(count));
  const auto make_some = [&context, &side, &ids, count, run](int worker) -> Result<void> {
    const ContainerSpec spec{.image = context.image, .command = "", .network = "none"};
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    for (int index = worker; index < count; index += kWidth) {
      FLO_TRY_ASSIGN(auto id, docker.create(spec));
      if (index < run) {
        FLO_TRY(docker.start(id));
        FLO_TRY(docker.wait(id));
      }
      ids[static_cast<std::size_t>(index)] = std::move(id);
    }
    return {};
  };
  FLO_TRY(inParallel(kWidth, make_some));
  return ids;
}

Result<void> removeAll(const Side& side, const std::vector<std::string>& ids) {
  constexpr std::size_t kWidth = 8;
  return inParallel(kWidth, [&side, &ids](int worker) -> Result<void> {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    for (auto index = static_cast<std::size_t>(worker); index < ids.size(); index += kWidth) {
      FLO_TRY(docker.remove(ids[index]));
    }
    return {};
  });
}

Result<void> compareListOf(Context& context, int count) {
  constexpr int kAlsoRun = 100;
  Pair<std::vector<std::string>> ids;
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(ids[side],
                   makeStopped(context, context.sides[side], count, std::min(count, kAlsoRun)));
  }
  const std::string target = "/v1.41/containers/json?all=1";
  FLO_TRY(compareRates(context, fmt::format("list of {} stopped", count), {target, target},
                       context.amounts.lists));
  FLO_TRY(removeAll(context.sides[0], ids[0]));
  return removeAll(context.sides[1], ids[1]);
}

/// p99 of a request on a connection of its own: connect, inspect, close.
Result<double> newRequestP99(const Side& side, const std::string& id, int count) {
  Samples times;
  for (int request = 0; request < count; ++request) {
    Stopwatch watch;
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    FLO_TRY(docker.get("/v1.41/containers/" + id + "/json"));
    times.add(watch.lap());
  }
  return times.percentile(0.99);
}

struct OpenConnections {
  std::vector<Docker> idle;
  std::vector<cli::HttpStream> followed;
};

Result<OpenConnections> openMany(const Side& side, const std::string& id, const Amounts& amounts) {
  OpenConnections open;
  for (int index = 0; index < amounts.idle_connections; ++index) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    FLO_TRY(docker.get("/_ping"));
    open.idle.push_back(std::move(docker));
  }
  for (int index = 0; index < amounts.followed_logs; ++index) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    FLO_TRY_ASSIGN(auto stream, std::move(docker).openStream("/v1.41/containers/" + id +
                                                             "/logs?stdout=1&follow=1"));
    open.followed.push_back(std::move(stream));
  }
  return open;
}

}  // namespace

Result<void> measureRequests(Context& context) {
  const ContainerSpec spec{.image = context.image, .command = "exec sleep 3600"};
  Pair<std::string> targets;
  Pair<std::string> ids;
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
    FLO_TRY_ASSIGN(ids[side], docker.launch(spec));
    targets[side] = "/v1.41/containers/" + ids[side] + "/json";
  }
  FLO_TRY(compareRates(context, "ping, one connection", {"/_ping", "/_ping"},
                       context.amounts.requests));
  FLO_TRY(compareWideRates(context, "ping, 8 connections", "/_ping", 8));
  FLO_TRY(compareRates(context, "inspect, one connection", targets, context.amounts.requests));
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
    FLO_TRY(docker.remove(ids[side], true));
  }
  return {};
}

Result<void> measureLists(Context& context) {
  constexpr int kShortList = 100;
  FLO_TRY(compareListOf(context, kShortList));
  if (context.amounts.stopped <= kShortList) {
    return {};
  }
  return compareListOf(context, context.amounts.stopped);
}

Result<void> measureIdleConnections(Context& context) {
  constexpr int kProbes = 400;
  const ContainerSpec spec{.image = context.image, .command = "exec sleep 3600"};
  Pair<double> idle{};
  Pair<double> loaded{};
  Pair<double> threads{};
  for (const std::size_t side : {0U, 1U}) {
    const Side& where = context.sides[side];
    FLO_TRY_ASSIGN(auto docker, Docker::connect(where.endpoint));
    FLO_TRY_ASSIGN(const auto id, docker.launch(spec));
    FLO_TRY_ASSIGN(idle[side], newRequestP99(where, id, kProbes));
    const int before = where.pid > 0 ? threadCount(processTree(where.pid)) : 0;
    FLO_TRY_ASSIGN(const auto open, openMany(where, id, context.amounts));
    FLO_TRY_ASSIGN(loaded[side], newRequestP99(where, id, kProbes));
    threads[side] = where.pid > 0 ? threadCount(processTree(where.pid)) - before : 0;
    FLO_TRY(docker.remove(id, true));
  }
  const std::string load =
      fmt::format("{} idle connections, {} followed logs", context.amounts.idle_connections,
                  context.amounts.followed_logs);
  context.report->add({"new request p99, idle daemon", "ms", idle[0], idle[1]});
  context.report->add({"new request p99, " + load, "ms", loaded[0], loaded[1]});
  context.report->add(
      {"  times the idle daemon's p99", "x", loaded[0] / idle[0], loaded[1] / idle[1]});
  context.report->add({"  threads more than idle", "", threads[0], threads[1]});
  return {};
}

}  // namespace flotilla::bench
