#include "api-gateway/streams/dispatch.h"

#include <utility>

#include "common/os/random.h"

namespace flotilla::gateway {

std::string submitFor(Dispatch& dispatch, http::Exchange& exchange, Job job,
                      JobQueue::Callbacks callbacks) {
  const std::string id = job.id = randomHex(16);
  dispatch.jobs_in_flight.Increment();
  callbacks.on_result = [&gauge = dispatch.jobs_in_flight,
                         next = std::move(callbacks.on_result)](JobResult result) {
    gauge.Decrement();
    next(std::move(result));
  };
  dispatch.cluster.submit(std::move(job), std::move(callbacks));
  // After submit: a client that is gone already must find its job.
  exchange.onClientGone([&cluster = dispatch.cluster, id] { cluster.cancel(id); });
  return id;
}

}  // namespace flotilla::gateway
