// flotilla-bench: the same work on two Docker endpoints, in alternation, as medians and ratios.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

struct Named {
  const char* name;
  const char* what;
  Scenario measure;
};

// Memory first: the daemons' idle size is to be what it is before any load.
constexpr Named kScenarios[] = {
    {"memory", "PSS of the idle daemon and of each running container", measureMemory},
    {"requests", "ping and inspect on kept-alive connections", measureRequests},
    {"run", "create, start, wait, remove one after the other", measureRuns},
    {"wide", "runs 8 and 32 at a time", measureWide},
    {"exec", "exec of /bin/true", measureExec},
    {"list", "lists of 100 and 1,000 stopped containers", measureLists},
    {"logs", "log written and read back", measureLogs},
    {"streams", "attached output and input, exec output", measureStreams},
    {"idle", "new requests beside 1,000 idle connections and 200 followed logs",
     measureIdleConnections},
    {"pull", "an image pulled cold from a registry", measurePulls},
    {"growth", "the daemon's size after 1,000 runs", measureGrowth},
};

struct Options {
  std::string a;
  std::string b;
  std::string name_a = "A";
  std::string name_b = "B";
  std::string pidfile_a;
  std::string pidfile_b;
  int pid_a = 0;
  int pid_b = 0;
  std::string image = "busybox:latest";
  std::string pull_image;
  std::vector<std::string> only;
  std::string markdown;
  bool quick = false;
  Amounts amounts;
};

Amounts quickAmounts() {
  return {.runs = 5,
          .wide_runs = 32,
          .wide_rounds = 1,
          .execs = 8,
          .requests = 800,
          .lists = 12,
          .stopped = 100,
          .log_megabytes = 10,
          .stream_megabytes = 40,
          .running = 4,
          .growth_runs = 80,
          .idle_connections = 200,
          .followed_logs = 40,
          .pulls = 1};
}

void addOptions(CLI::App& app, Options& options) {
  app.add_option("A", options.a, "first endpoint (unix:///path or tcp://host:port)")->required();
  app.add_option("B", options.b, "second endpoint")->required();
  app.add_option("--name-a", options.name_a, "heading of the first column");
  app.add_option("--name-b", options.name_b, "heading of the second column");
  app.add_option("--pid-a", options.pid_a, "pid of the first daemon (memory, threads)");
  app.add_option("--pid-b", options.pid_b, "pid of the second daemon");
  app.add_option("--pidfile-a", options.pidfile_a, "file with the first daemon's pid");
  app.add_option("--pidfile-b", options.pidfile_b, "file with the second daemon's pid");
  app.add_option("--image", options.image, "image with /bin/sh and /bin/true, present on both");
  app.add_option(
         "--only", options.only,
         "only these measurements: memory requests run wide exec list logs streams idle pull "
         "growth")
      ->delimiter(',');
  app.add_option("--pull-image", options.pull_image, "image to pull, with its registry and tag");
  app.add_option("--pulls", options.amounts.pulls, "pulls a side");
  app.add_option("--runs", options.amounts.runs, "sequential runs a side");
  app.add_option("--growth-runs", options.amounts.growth_runs, "runs for the growth figure");
  app.add_option("--markdown", options.markdown, "also write the table as Markdown to this file");
  app.add_flag("--quick", options.quick, "small amounts: to see that it works, not to quote");
}

int readPid(const std::string& file, int given) {
  if (file.empty()) {
    return given;
  }
  int pid = 0;
  std::ifstream(file) >> pid;
  return pid;
}

/// A thousand connections need a thousand descriptors.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

bool isChosen(const Options& options, const std::string& name) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), name) != options.only.end();
}

Result<bool> measureAll(const Options& options, Context& context) {
  bool all_done = true;
  for (const auto& scenario : kScenarios) {
    if (!isChosen(options, scenario.name)) {
      continue;
    }
    std::fprintf(stderr, "bench: %s\n", scenario.what);
    for (const auto& side : context.sides) {
      FLO_TRY(removeLeftovers(side));
    }
    const auto done = scenario.measure(context);
    if (!done) {
      std::fprintf(stderr, "bench: %s FAILED: %s\n", scenario.name, done.error().message().c_str());
      all_done = false;
    }
    for (const auto& side : context.sides) {
      FLO_TRY(removeLeftovers(side));
    }
  }
  return all_done;
}

Result<bool> runBench(const Options& options) {
  FLO_TRY_ASSIGN(auto endpoint_a, cli::Endpoint::parse(options.a));
  FLO_TRY_ASSIGN(auto endpoint_b, cli::Endpoint::parse(options.b));
  Report report(options.name_a, options.name_b);
  Context context{.sides = {Side{options.name_a, std::move(endpoint_a),
                                 readPid(options.pidfile_a, options.pid_a)},
                            Side{options.name_b, std::move(endpoint_b),
                                 readPid(options.pidfile_b, options.pid_b)}},
                  .image = options.image,
                  .pull_image = options.pull_image,
                  .amounts = options.quick ? quickAmounts() : options.amounts,
                  .report = &report};
  FLO_TRY_ASSIGN(const bool all_done, measureAll(options, context));
  std::fputs(report.text().c_str(), stdout);
  if (!options.markdown.empty()) {
    std::ofstream(options.markdown) << report.markdown();
  }
  return all_done;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  CLI::App app(
      "Measures two Docker endpoints by the same work and prints medians, p99 and ratios.");
  flotilla::bench::Options options;
  flotilla::bench::addOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  flotilla::bench::raiseDescriptorLimit();
  const auto done = flotilla::bench::runBench(options);
  if (!done) {
    std::fprintf(stderr, "flotilla-bench: %s\n", done.error().message().c_str());
    return 1;
  }
  return *done ? 0 : 1;
}
