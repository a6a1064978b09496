#include "common/queue/queue_settings.h"

#include <CLI/CLI.hpp>

namespace flotilla {

void declareQueue(CLI::App& app, QueueSettings& settings) {
  app.add_option("--queue", settings.url,
                 "Job queue: redis://[user:password@]host[:port][/db], rediss://..., unix:///path")
      ->envname("FLOTILLA_QUEUE")
      ->required();
  app.add_option("--cluster", settings.cluster, "Name of the cluster, part of every key in Redis")
      ->envname("FLOTILLA_CLUSTER");
  app.add_option("--cluster-key", settings.key_file,
                 "File with the key that signs jobs, 32 bytes or more")
      ->envname("FLOTILLA_CLUSTER_KEY");
}

Result<RedisQueueOptions> queueOptions(const QueueSettings& settings) {
  FLO_TRY_ASSIGN(auto target, RedisTarget::create(settings.url));
  FLO_TRY_ASSIGN(auto key, ClusterKey::load(settings.key_file));
  return RedisQueueOptions{
      .target = std::move(target), .key = std::move(key), .cluster = settings.cluster};
}

}  // namespace flotilla
