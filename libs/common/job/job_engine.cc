#include "common/job/job_engine.h"

#include <exception>
#include <utility>

namespace flotilla {
namespace {

// A handler that throws is a bug, but it must cost one job, not the process.
void runHandler(const JobEngine::Handler& handler, const JobContextPtr& context) {
  try {
    handler(context);
  } catch (const std::exception& error) {
    context->complete(
        Error{ErrorKind::Internal, "job " + context->job().name + ": " + error.what()});
  }
}

}  // namespace

void JobEngine::handle(std::string name, Lane lane, Handler handler) {
  auto metrics = metrics_ != nullptr ? std::make_unique<JobMetrics>(*metrics_, name) : nullptr;
  handlers_.insert_or_assign(std::move(name), Entry{lane, std::move(handler), std::move(metrics)});
}

void JobEngine::handleOthers(Lane lane, Handler handler) {
  others_ = Entry{lane, std::move(handler), nullptr};
}

void JobEngine::run(JobContextPtr context) {
  const auto found = handlers_.find(context->job().name);
  const Entry& entry = found != handlers_.end() ? found->second : others_;
  if (!entry.handler) {
    context->complete(
        Error{ErrorKind::NotImplemented, "no handler for job " + context->job().name});
    return;
  }
  if (entry.metrics) {
    context = entry.metrics->measured(std::move(context));
  }
  ThreadPool& pool = entry.lane == Lane::Query ? queries_ : work_;
  // The entry outlives the job: handlers are only added before the first run.
  const bool queued = pool.post([&entry, context] { runHandler(entry.handler, context); });
  if (!queued) {
    context->complete(Error{ErrorKind::Unavailable,
                            "too many jobs are waiting for this engine; try again in a moment"});
  }
}

}  // namespace flotilla
