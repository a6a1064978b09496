// What the job queue over Redis costs: a server of its own, gateways and workers as processes.
//   queue-bench [seconds]
// Round trip: one gateway, one worker, one no-op job at a time. Throughput: two gateways with 256
// jobs under way each, four workers.

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/os/process.h"
#include "common/os/random.h"
#include "common/queue/redis_queue.h"
#include "common/redis/testing/redis_server.h"

namespace flotilla {
namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr const char* kEngine = "bench";

RedisQueueOptions queueOptions(const std::string& folder) {
  return {.target = RedisTarget::create("unix://" + folder + "/redis.sock").value(),
          .key = ClusterKey::fromBytes("the key of this benchmark, 32 byt"),
          .cluster = "bench",
          .workers_folder = folder + "/workers",
          .host_identity = "bench"};
}

int workerMain(const std::string& folder) {
  const auto reactor = Reactor::create().value();
  RedisQueue queue(*reactor, queueOptions(folder));
  const auto serving = queue.serve({.engine_id = kEngine}, [](const JobContextPtr& context) {
    context->complete(JobOutput{.body = "{}", .env = {}});
  });
  reactor->run();  // until it is killed
  return serving ? 0 : 1;
}

/// Keeps `window` jobs under way for some seconds and prints count, p50 and p99 in microseconds.
class Gateway {
 public:
  Gateway(const std::string& folder, int window, int seconds)
      : queue_(*reactor_, queueOptions(folder)), window_(window), seconds_(seconds) {}

  int run() {
    reactor_->post([this] { submit([this] { begin(); }); });  // the first finds the workers
    reactor_->run();
    std::sort(took_.begin(), took_.end());
    if (took_.empty()) {
      return 1;
    }
    std::printf("%zu %.1f %.1f\n", took_.size(), took_[took_.size() / 2],
                took_[took_.size() * 99 / 100]);
    return 0;
  }

 private:
  void begin() {
    end_ = Clock::now() + std::chrono::seconds(seconds_);
    for (int i = 0; i < window_; ++i) {
      next();
    }
  }

  void next() {
    if (Clock::now() >= end_) {
      reactor_->stop();
      return;
    }
    const auto began = Clock::now();
    submit([this, began] {
      took_.push_back(Micros(Clock::now() - began).count());
      next();
    });
  }

  void submit(std::function<void()> done) {
    Job job{
        .id = prefix_ + std::to_string(++count_), .name = "noop", .args = {"web"}, .body = "{}"};
    job.request_id = "bench";
    queue_.submit(
        kEngine, std::move(job),
        {.on_established = nullptr, .on_result = [done = std::move(done)](const JobResult& result) {
           if (!result) {
             std::fprintf(stderr, "job failed: %s\n", result.error().message().c_str());
           }
           done();
         }});
  }

  const std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  RedisQueue queue_;
  const int window_;
  const int seconds_;
  const std::string prefix_ = randomHex(8) + "-";
  std::uint64_t count_ = 0;
  Clock::time_point end_;
  std::vector<double> took_;
};

Process start(std::vector<std::string> arguments, int output) {
  ProcessSpec spec;
  spec.argv = {std::filesystem::read_symlink("/proc/self/exe").string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.fds = {{output, 1}, {2, 2}};
  return Process::spawn(spec).value();
}

struct Figures {
  double jobs = 0, p50 = 0, p99 = 0;
};

Figures measure(const std::string& folder, int gateways, int workers, int window, int seconds) {
  std::vector<Process> serving;
  for (int i = 0; i < workers; ++i) {
    serving.push_back(start({"worker", folder}, 1));
  }
  Figures sum;
  std::vector<std::pair<Process, UniqueFd>> running;
  for (int i = 0; i < gateways; ++i) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      std::abort();
    }
    UniqueFd writer(ends[1]);
    running.emplace_back(
        start({"gateway", folder, std::to_string(window), std::to_string(seconds)}, writer.get()),
        UniqueFd(ends[0]));
  }
  for (auto& [process, output] : running) {
    static_cast<void>(process.wait(std::chrono::seconds(seconds + 30)).has_value());
    std::array<char, 128> line{};
    Figures one;
    if (::read(output.get(), line.data(), line.size() - 1) > 0 &&
        std::sscanf(line.data(), "%lf %lf %lf", &one.jobs, &one.p50, &one.p99) == 3) {
      sum.jobs += one.jobs / seconds;
      sum.p50 = std::max(sum.p50, one.p50);
      sum.p99 = std::max(sum.p99, one.p99);
    }
  }
  for (auto& worker : serving) {
    static_cast<void>(worker.signal(SIGKILL).has_value());
    static_cast<void>(worker.wait(std::chrono::seconds(5)).has_value());
  }
  return sum;
}

int benchMain(int seconds) {
  const auto server = testing::RedisServer::start();
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message().c_str());
    return 1;
  }
  const std::string& folder = (*server)->folder();
  const Figures one = measure(folder, 1, 1, 1, seconds);
  std::printf("round trip   p50 %6.0f us   p99 %6.0f us   (%0.f jobs/s, one at a time)\n", one.p50,
              one.p99, one.jobs);
  const Figures many = measure(folder, 2, 4, 256, seconds);
  std::printf(
      "throughput   %6.0f jobs/s   p50 %6.0f us   p99 %6.0f us   (2 gateways, 4 workers, 512 under way)\n",
      many.jobs, many.p50, many.p99);
  return many.jobs > 0 ? 0 : 1;
}

}  // namespace
}  // namespace flotilla

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "worker") {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return flotilla::workerMain(arguments[1]);
  }
  if (arguments.size() == 4 && arguments[0] == "gateway") {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return flotilla::Gateway(arguments[1], std::stoi(arguments[2]), std::stoi(arguments[3])).run();
  }
  return flotilla::benchMain(arguments.empty() ? 5 : std::stoi(arguments[0]));
}
