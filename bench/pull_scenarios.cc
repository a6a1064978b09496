// An image pulled cold from a registry that both sides reach by the same name.
#include <fmt/format.h>

#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

Result<double> pullOnce(const Context& context, const Side& side) {
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  FLO_TRY(docker.removeImage(context.pull_image));
  Stopwatch watch;
  FLO_TRY_ASSIGN(const auto answer,
                 docker.post("/v1.41/images/create?fromImage=" + context.pull_image, "", 200));
  const double took = watch.lap();
  if (answer.find("\"error\"") != std::string::npos ||
      answer.find("Status: Downloaded newer image") == std::string::npos) {
    return Error(
        ErrorKind::Internal,
        fmt::format("pull of {} on {}: {}", context.pull_image, side.name,
                    answer.substr(answer.size() - std::min<std::size_t>(answer.size(), 300))));
  }
  return took;
}

}  // namespace

Result<void> measurePulls(Context& context) {
  if (context.pull_image.empty()) {
    std::fprintf(stderr,
                 "bench: skipped: --pull-image names none (bench/make-pull-image makes one)\n");
    return {};
  }
  Pair<Samples> took;
  for (int round = 0; round < context.amounts.pulls; ++round) {
    for (std::size_t side = 0; side < took.size(); ++side) {
      FLO_TRY_ASSIGN(const double one, pullOnce(context, context.sides[side]));
      took[side].add(one);
    }
  }
  addMedian(context, "pull, cold", took);
  for (const Side& side : context.sides) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
    FLO_TRY(docker.removeImage(context.pull_image));
  }
  return {};
}

}  // namespace flotilla::bench
