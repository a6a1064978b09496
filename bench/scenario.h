#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/docker.h"
#include "bench/report.h"
#include "bench/statistics.h"

namespace flotilla::bench {

/// One of the two daemons being compared.
struct Side {
  std::string name;
  cli::Endpoint endpoint;
  int pid = 0;  ///< of the daemon, for memory and threads; 0 when not given
};

/// How much work to do. The defaults take some minutes against a dockerd.
struct Amounts {
  int runs = 20;       ///< sequential runs a side
  int wide_runs = 64;  ///< runs per round of a wide measurement
  int wide_rounds = 2;
  int execs = 40;
  int requests = 3000;  ///< per request kind and round
  int lists = 60;
  int stopped = 1000;  ///< containers in the long list
  int log_megabytes = 50;
  int stream_megabytes = 200;
  int running = 16;  ///< containers for memory per running container
  int growth_runs = 1000;
  int idle_connections = 1000;
  int followed_logs = 200;
  int pulls = 3;
};

struct Context {
  std::array<Side, 2> sides;
  std::string image;
  std::string pull_image;  ///< in a registry that both reach; "" skips pulls
  Amounts amounts;
  Report* report;
};

/// Makes its measurements on both sides in alternation and adds rows to the report.
using Scenario = Result<void> (*)(Context&);

Result<void> measureRuns(Context& context);
Result<void> measureWide(Context& context);
Result<void> measureExec(Context& context);
Result<void> measureRequests(Context& context);
Result<void> measureLists(Context& context);
Result<void> measureLogs(Context& context);
Result<void> measureStreams(Context& context);
Result<void> measureMemory(Context& context);
Result<void> measureGrowth(Context& context);
Result<void> measureIdleConnections(Context& context);
Result<void> measurePulls(Context& context);

/// One value per side.
template <class T>
using Pair = std::array<T, 2>;

/// Adds "<figure>" with the medians of both.
void addMedian(Context& context, const std::string& figure, const Pair<Samples>& milliseconds);
void addP99(Context& context, const std::string& figure, const Pair<Samples>& milliseconds);

/// Runs `work(0)` .. `work(width-1)` in threads of their own; the first error, if any.
Result<void> inParallel(int width, const std::function<Result<void>(int)>& work);

/// Removes containers left on a side by an earlier, interrupted measurement (by label).
Result<void> removeLeftovers(const Side& side);

/// Milliseconds since construction or the last lap().
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double, std::milli>(now - start_).count();
    start_ = now;
    return passed;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace flotilla::bench
