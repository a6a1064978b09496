#pragma once

#include <CLI/App.hpp>
#include <string>

#include "common/error/result.h"
#include "common/queue/redis_queue.h"

namespace flotilla {

/// Where the job queue is and what protects it: the same options for gateways and engines.
struct QueueSettings {
  std::string url;
  std::string cluster = "default";
  std::string key_file = "/etc/flotilla/cluster.key";
};

/// --queue, --cluster, --cluster-key.
void declareQueue(CLI::App& app, QueueSettings& settings);
/// Reads the files. Errors: InvalidArgument naming option or file.
Result<RedisQueueOptions> queueOptions(const QueueSettings& settings);

}  // namespace flotilla
