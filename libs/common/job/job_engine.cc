#include "common/job/job_engine.h"

#include <exception>
#include <utility>

namespace flotilla {
namespace {

// A handler that throws is a bug, but it must cost one job, not the process.
template <class Function>
void runGuarded(const JobContextPtr& context, const Function& function) {
  try {
    function();
  } catch (const std::exception& error) {
    context->complete(
        Error{ErrorKind::Internal, "job " + context->job().name + ": " + error.what()});
  }
}

/// True when that completed the job.
bool answerAtOnce(const JobEngine::Shortcut& shortcut, const JobContextPtr& context) {
  bool answered = true;
  runGuarded(context, [&] {
    auto answer = shortcut(context->job());
    answered = answer.has_value();
    if (answered) {
      context->complete(*std::move(answer));
    }
  });
  return answered;
}

}  // namespace

void JobEngine::handle(std::string name, Lane lane, Handler handler, Shortcut shortcut) {
  auto metrics = metrics_ != nullptr ? std::make_unique<JobMetrics>(*metrics_, name) : nullptr;
  handlers_.insert_or_assign(
      std::move(name), Entry{lane, std::move(handler), std::move(shortcut), std::move(metrics)});
}

void JobEngine::handleOthers(Lane lane, Handler handler) {
  others_ = Entry{lane, std::move(handler), nullptr, nullptr};
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
  if (entry.shortcut && answerAtOnce(entry.shortcut, context)) {
    return;
  }
  ThreadPool& pool = entry.lane == Lane::Query ? queries_ : work_;
  // The entry outlives the job: handlers are only added before the first run.
  const bool queued =
      pool.post([&entry, context] { runGuarded(context, [&] { entry.handler(context); }); });
  if (!queued) {
    context->complete(Error{ErrorKind::Unavailable,
                            "too many jobs are waiting for this engine; try again in a moment"});
  }
}

}  // namespace flotilla
