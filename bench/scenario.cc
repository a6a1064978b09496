#include "bench/scenario.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace flotilla::bench {

void addMedian(Context& context, const std::string& figure, const Pair<Samples>& milliseconds) {
  context.report->add({figure, "ms", milliseconds[0].median(), milliseconds[1].median()});
}

void addP99(Context& context, const std::string& figure, const Pair<Samples>& milliseconds) {
  context.report->add(
      {figure, "ms", milliseconds[0].percentile(0.99), milliseconds[1].percentile(0.99)});
}

Result<void> inParallel(int width, const std::function<Result<void>(int)>& work) {
  std::mutex mutex;
  std::optional<Error> first_error;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(width));
  for (int index = 0; index < width; ++index) {
    threads.emplace_back([&work, &mutex, &first_error, index] {
      const auto done = work(index);
      const std::lock_guard lock(mutex);
      if (!done && !first_error) {
        first_error = done.error();
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  if (first_error) {
    return *first_error;
  }
  return {};
}

Result<void> removeLeftovers(const Side& side) {
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(
      const auto body,
      docker.get(
          "/v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22flotilla.bench%22%5D%7D"));
  const auto list = nlohmann::json::parse(body, nullptr, false);
  for (const auto& item : list) {
    FLO_TRY(docker.remove(item.value("Id", ""), true));
  }
  return {};
}

}  // namespace flotilla::bench
