#include "common/queue/memory_queue.h"

#include "common/queue/job_queue_contract.h"

namespace flotilla::queue_contract {

INSTANTIATE_TEST_SUITE_P(Memory, JobQueueContract,
                         testing::Values(QueueFactory{
                             "memory",
                             [](Reactor& timers,
                                std::size_t max_waiting) -> std::unique_ptr<JobQueue> {
                               return std::make_unique<MemoryQueue>(
                                   timers, MemoryQueue::Options{.max_waiting = max_waiting});
                             }}),
                         [](const auto& factory) { return factory.param.name; });

}  // namespace flotilla::queue_contract
