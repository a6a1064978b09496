#include "common/queue/redis_queue.h"

#include "common/os/random.h"
#include "common/queue/job_queue_contract.h"
#include "common/redis/testing/redis_server.h"

namespace flotilla::queue_contract {
namespace {

/// One server for the whole suite; every test is a cluster of its own on it.
flotilla::testing::RedisServer& server() {
  static const auto started = flotilla::testing::RedisServer::start().value();
  return *started;
}

RedisQueueOptions options(const std::string& cluster) {
  return {.target = RedisTarget::create(server().url()).value(),
          .key = ClusterKey::fromBytes("the key of these tests, 32 bytes."),
          .cluster = cluster,
          .workers_folder = server().folder() + "/workers-" + cluster,
          .host_identity = "this host"};
}

std::unique_ptr<JobQueue> make(Reactor& reactor, std::size_t max_waiting) {
  if (!flotilla::testing::RedisServer::installed()) {
    return nullptr;
  }
  auto chosen = options(randomHex(4));
  chosen.max_waiting = max_waiting;
  return std::make_unique<RedisQueue>(reactor, std::move(chosen));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Redis, JobQueueContract, ::testing::Values(QueueFactory{"redis", make}),
                         [](const auto& factory) { return factory.param.name; });

}  // namespace flotilla::queue_contract
