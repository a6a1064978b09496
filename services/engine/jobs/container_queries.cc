#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "common/json/json.h"
#include "engine/images/image_store.h"
#include "engine/jobs/container_filters.h"
#include "engine/jobs/container_jobs.h"
#include "engine/jobs/disk_use.h"
#include "engine/jobs/handler_tools.h"
#include "engine/jobs/log_jobs.h"
#include "engine/jobs/process_list.h"
#include "engine/jobs/recent_answers.h"
#include "engine/lifecycle/end_notice.h"
#include "engine/store/exec_store.h"

namespace flotilla::engine {
namespace {

using Parts = ContainerJobParts;

std::string imageIdOf(ImageSource& images, const std::string& reference) {
  const auto image = images.resolve(reference);
  return image ? image->id : "";
}

Result<std::size_t> listLimit(const Job& job) {
  const std::string text = job.env.get("limit");
  if (text.empty()) {
    return std::size_t{0};
  }
  FLO_TRY_ASSIGN(const std::int64_t limit, goAtoi(text));
  return limit > 0 ? static_cast<std::size_t>(limit) : std::size_t{0};
}

bool wantsSize(const Job& job) { return job.env.getBool("size"); }

JobResult list(Parts& parts, const Job& job) {
  LifecycleParts& engine = parts.lifecycle.parts;
  FLO_TRY_ASSIGN(const std::size_t limit, listLimit(job));
  FLO_TRY_ASSIGN(const auto filters, ContainerFilters::parse(job.env.get("filters"), engine.catalog,
                                                             [&](const std::string& reference) {
                                                               return imageIdOf(engine.images,
                                                                                reference);
                                                             }));
  const bool all = job.env.getBool("all") || limit > 0 || filters.wantsAll();
  const bool size = wantsSize(job);
  FLO_TRY_ASSIGN(const auto records, engine.catalog.list());
  const std::int64_t now = engine.clock();
  std::string out = "[";
  std::size_t shown = 0;
  for (const auto& record : records) {
    if ((!all && !record->state.running()) || (!filters.empty() && !filters.matches(*record))) {
      continue;
    }
    out += shown == 0 ? "" : ",";
    parts.view.appendSummary(
        out, *record, now,
        size ? std::optional(diskUse(engine.paths, engine.images, *record)) : std::nullopt);
    if (++shown == limit) {
      break;
    }
  }
  out += "]";
  return JobOutput{std::move(out), {}};
}

JobResult inspect(Parts& parts, const Job& job) {
  LifecycleParts& engine = parts.lifecycle.parts;
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  std::vector<std::string> execs;
  if (record->state.running()) {
    FLO_TRY(engine.database.read([&](Transaction& transaction) -> Result<void> {
      FLO_TRY_ASSIGN(execs, runningExecs(transaction, record->id));
      return {};
    }));
  }
  std::optional<DiskUse> size;
  if (wantsSize(job)) {
    size = diskUse(engine.paths, engine.images, *record);
  }
  return JobOutput{parts.view.inspect(*record, execs, size), {}};
}

/// Sizes are measured anew for every question.
bool isLasting(const Job& job) { return !job.args.empty() && !wantsSize(job); }

JobResult inspectAnew(Parts& parts, RecentAnswers& recent, const Job& job) {
  const std::uint64_t version = parts.lifecycle.parts.database.dataVersion();
  JobResult answer = inspect(parts, job);
  if (answer && isLasting(job)) {
    recent.keep(job.args.front(), version, answer->body);
  }
  return answer;
}

std::optional<JobResult> inspectedBefore(const RecentAnswers& recent, const Job& job) {
  auto known = isLasting(job) ? recent.find(job.args.front()) : std::nullopt;
  return known ? std::optional<JobResult>(JobOutput{*std::move(known), {}}) : std::nullopt;
}

JobResult top(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  if (!record->state.running()) {
    return Error{ErrorKind::Conflict, "container " + record->id + " is not running"};
  }
  if (record->state.status == ContainerStatus::Restarting) {
    return Error{ErrorKind::Conflict,
                 "container " + record->id + " is restarting, wait until the container is running"};
  }
  FLO_TRY_ASSIGN(const auto pids, parts.lifecycle.parts.runtime.pids(record->id));
  FLO_TRY_ASSIGN(auto text, processListJson(pids, job.env.get("ps_args")));
  return JobOutput{std::move(text), {}};
}

/// A stream that says nothing and ends when the container's next start, or its failure, is over.
StreamEndpoint silentStream(Parts& parts, const std::string& id) {
  constexpr std::chrono::seconds kLongest{60};
  Notices& stopped = parts.lifecycle.stopped;
  Reactor& reactor = parts.lifecycle.parts.reactor;
  return parts.streams.expect([&stopped, &reactor, id, kLongest](Result<net::StreamPtr> stream) {
    if (stream) {
      stopped.when(id, kLongest, [&reactor, held = *stream](Notices::Outcome) {
        reactor.post([held] { held->close(); });
      });
    }
  });
}

JobResult attachTo(Parts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  AttachOptions options;
  options.stdin_open = job.env.getBool("stdin") && record->spec->config.open_stdin;
  options.stdout_open = job.env.getBool("stdout");
  options.stderr_open = job.env.getBool("stderr");
  options.logs = job.env.getBool("logs");
  options.stream = job.env.getBool("stream");
  FLO_TRY_ASSIGN(options.detach_keys, parseDetachKeys(job.env.get("detachKeys")));
  FLO_TRY_ASSIGN(auto endpoint, parts.lifecycle.attacher.attach(record, options));
  Established message;
  message.stream = endpoint ? std::move(*endpoint) : silentStream(parts, record->id);
  message.env.setBool("tty", record->spec->config.tty);
  context->established(std::move(message));
  return JobOutput{};
}

/// Ends a followed log with its container, restarts of the restart policy excepted.
void endWithContainer(Lifecycle& lifecycle, const std::string& id, LogFollower& follower) {
  const auto over = [&lifecycle, id] {
    const auto record = lifecycle.parts.catalog.find(id);
    return !record || !*record || !(*record)->state.running();
  };
  const auto end = [weak = follower.weak_from_this()] {
    if (const auto alive = weak.lock()) {
      alive->containerEnded();
    }
  };
  // A client that leaves takes the notice with it.
  follower.keep(EndNotice::await(lifecycle.stopped, id, over, end));
}

void logs(Parts& parts, const JobContextPtr& context) {
  LifecycleParts& engine = parts.lifecycle.parts;
  auto options = LogOptions::parse(context->job().env);
  if (!options) {
    context->complete(std::move(options).error());
    return;
  }
  const auto found = namedContainer(parts.lifecycle, context->job());
  if (!found) {
    context->complete(found.error());
    return;
  }
  const ContainerRecord& record = **found;
  LogSource source;
  source.path = record.spec->host.log_driver == "none" ? "" : engine.paths.log(record.id);
  source.tty = record.spec->config.tty;
  source.running = record.state.running();
  const auto follower =
      serveLogs(context, source, *options, {engine.reactor, parts.log_watch, parts.streams});
  if (!follower) {
    return;
  }
  endWithContainer(parts.lifecycle, record.id, *follower);
  // It may have ended before the line above.
  const auto now = engine.catalog.find(record.id);
  if (now && (!*now || !(*now)->state.running())) {
    follower->containerEnded();
  }
}

JobResult resize(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const unsigned height, parseTerminalSize(job, "h", "height"));
  FLO_TRY_ASSIGN(const unsigned width, parseTerminalSize(job, "w", "width"));
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  return emptyResult(parts.lifecycle.attacher.resize(*record, height, width));
}

}  // namespace

void addContainerQueries(JobEngine& engine, ContainerJobParts parts_in) {
  const auto parts = std::make_shared<Parts>(parts_in);
  const auto query = [&](const char* name, Lane lane, JobResult (*handler)(Parts&, const Job&)) {
    engine.handle(name, lane, [parts, handler](const JobContextPtr& context) {
      context->complete(handler(*parts, context->job()));
    });
  };
  // Measuring a container's own layer takes as long as there are files in it.
  const auto sizedQuery = [&](const char* name, const std::function<JobResult(const Job&)>& handler,
                              JobEngine::Shortcut shortcut) {
    const auto handle = [parts, handler](const JobContextPtr& context) {
      const auto answer = [handler, context] { context->complete(handler(context->job())); };
      if (!wantsSize(context->job())) {
        answer();
      } else if (!parts->lifecycle.parts.work.post(answer)) {
        context->complete(Error{ErrorKind::Unavailable, "the engine is busy"});
      }
    };
    engine.handle(name, Lane::Query, handle, std::move(shortcut));
  };
  const auto recent = std::make_shared<RecentAnswers>(parts->lifecycle.parts.database);
  sizedQuery(
      "container_list", [parts](const Job& job) { return list(*parts, job); }, nullptr);
  sizedQuery(
      "container_inspect",
      [parts, recent](const Job& job) { return inspectAnew(*parts, *recent, job); },
      [recent](const Job& job) { return inspectedBefore(*recent, job); });
  query("container_resize", Lane::Query, resize);
  query("container_top", Lane::Work, top);
  engine.handle("container_logs", Lane::Query,
                [parts](const JobContextPtr& context) { logs(*parts, context); });
  engine.handle("container_attach", Lane::Work, [parts](const JobContextPtr& context) {
    context->complete(attachTo(*parts, context));
  });
}

}  // namespace flotilla::engine
