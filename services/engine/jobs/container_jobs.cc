#include "engine/jobs/container_jobs.h"

#include <memory>
#include <optional>
#include <utility>

#include "common/json/json.h"
#include "common/model/container_update.h"
#include "common/model/container_validate.h"
#include "engine/images/image_context.h"
#include "engine/images/pull/platform.h"
#include "engine/jobs/handler_tools.h"
#include "engine/jobs/json_writer.h"
#include "engine/jobs/ledger_guard.h"

namespace flotilla::engine {
namespace {

using Parts = ContainerJobParts;

/// `docker create --platform`. Errors: InvalidArgument; NotFound when the image is for another one,
/// upon which a client pulls.
Result<void> checkPlatform(ImageSource& images, const std::string& reference, const Job& job) {
  constexpr ApiVersion kSince{1, 41};
  const std::string text = job.env.get("platform");
  if (text.empty() || job.api_version < kSince) {
    return {};
  }
  FLO_TRY_ASSIGN(const Platform wanted,
                 Platform::parse(text, Platform{"linux", hostArchitecture(), ""}));
  FLO_TRY_ASSIGN(const auto image, images.resolve(reference));
  const Platform made_for = Platform::normalised(image.os, image.architecture, image.variant);
  if (platformMatch(wanted, made_for) == 0) {
    return Error{ErrorKind::NotFound, "image with reference " + reference +
                                          " was found but its platform (" + made_for.text() +
                                          ") does not match the specified platform (" +
                                          wanted.text() + ")"};
  }
  return {};
}

JobResult create(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(auto request, model::decodeCreateRequest(job.body, job.api_version));
  FLO_TRY(checkPlatform(parts.lifecycle.parts.images, request.config.image, job));
  FLO_TRY_ASSIGN(auto answer, parts.lifecycle.creator.create(
                                  std::move(request), {job.id, job.env.get("id"),
                                                       job.env.get("name"), job.api_version}));
  return JobOutput{std::move(answer), {}};
}

Result<std::optional<unsigned>> firstFoundRun(const Job& job) {
  if (!job.env.has(kFirstFoundRun)) {
    return std::optional<unsigned>();
  }
  FLO_TRY_ASSIGN(const auto run, job.env.getInt(kFirstFoundRun, 0));
  return std::optional(static_cast<unsigned>(run));
}

JobResult start(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  FLO_TRY_ASSIGN(const auto first_found, firstFoundRun(job));
  return emptyResult(parts.lifecycle.starter.start(record->id, {.first_found = first_found}));
}

Result<Stopper::StopOptions> stopOptions(const Job& job) {
  Stopper::StopOptions options;
  options.signal = job.env.get("signal");
  const std::string text = job.env.get("t");
  if (!text.empty()) {
    FLO_TRY_ASSIGN(const std::int64_t seconds, goAtoi(text));
    options.timeout_seconds = static_cast<int>(seconds);
  }
  return options;
}

void stop(Parts& parts, const JobContextPtr& context) {
  const auto record = namedContainer(parts.lifecycle, context->job());
  const auto options = stopOptions(context->job());
  if (!record || !options) {
    context->complete(record ? options.error() : record.error());
    return;
  }
  parts.lifecycle.stopper.stop((*record)->id, *options, [context](const Result<void>& done) {
    context->complete(emptyResult(done));
  });
}

void restart(Parts& parts, const JobContextPtr& context) {
  const auto record = namedContainer(parts.lifecycle, context->job());
  const auto options = stopOptions(context->job());
  const auto first_found = firstFoundRun(context->job());
  if (!record || !options || !first_found) {
    context->complete(!record ? record.error() : !options ? options.error() : first_found.error());
    return;
  }
  parts.lifecycle.restart(
      (*record)->id, *options, *first_found,
      [context](const Result<void>& done) { context->complete(emptyResult(done)); });
}

void kill(Parts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  const std::string shown = job.args.empty() ? "" : job.args.front();
  const auto fail = [shown](Error error) {
    return error.kind() == ErrorKind::Unavailable
               ? error
               : std::move(error).context("cannot kill container: " + shown);
  };
  const auto record = namedContainer(parts.lifecycle, job);
  if (!record) {
    context->complete(fail(record.error()));
    return;
  }
  parts.lifecycle.stopper.kill(
      (*record)->id, job.env.get("signal"), [context, fail](const Result<void>& done) {
        context->complete(done ? JobResult(JobOutput{}) : JobResult(fail(done.error())));
      });
}

JobResult pause(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  return emptyResult(parts.lifecycle.stopper.pause(record->id));
}

JobResult unpause(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  return emptyResult(parts.lifecycle.stopper.unpause(record->id));
}

std::string waitAnswer(const WaitAnswer& answer) {
  json::Json document{{"StatusCode", answer.exit_code}};
  if (!answer.error.empty()) {
    document["Error"] = {{"Message", answer.error}};
  }
  return json::dump(document);
}

void wait(Parts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  const std::string text = job.env.get("condition");
  const auto condition = conditionFromName(text);
  if (!condition) {
    context->complete(Error{ErrorKind::InvalidArgument, "invalid condition: " + json::quote(text)});
    return;
  }
  Waiters& waiters = parts.lifecycle.waiters;
  const auto record = namedContainer(parts.lifecycle, job);
  if (!record) {
    const auto past =
        waiters.answerOfRemoved(job.id, job.args.empty() ? "" : job.args.front(), *condition);
    if (!past || !*past) {
      context->complete(past ? record.error() : past.error());
      return;
    }
    context->established({});
    context->complete(JobOutput{waitAnswer(**past), {}});
    return;
  }
  // The headers say that the waiter is stored; an answer that is quicker says so, too.
  const auto added =
      waiters.add(job.id, (*record)->id, *condition, [context](const WaitAnswer& answer) {
        context->established({});
        context->complete(JobOutput{waitAnswer(answer), {}});
      });
  if (!added) {
    context->complete(added.error());
    return;
  }
  context->onCancel([context, &waiters, id = job.id] {
    waiters.cancel(id);
    context->complete(Error{ErrorKind::Unavailable, "the client is gone"});
  });
  context->established({});
}

void remove(Parts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  if (job.env.getBool("link")) {
    context->complete(Error{ErrorKind::InvalidArgument,
                            "removing a link is not supported: containers have none"});
    return;
  }
  const auto record = namedContainer(parts.lifecycle, job);
  if (!record) {
    context->complete(record.error());
    return;
  }
  parts.lifecycle.remove(
      (*record)->id, {job.env.getBool("force"), job.env.getBool("v"), job.args.front()},
      [context](const Result<void>& done) { context->complete(emptyResult(done)); });
}

JobResult rename(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  return emptyResult(parts.lifecycle.rename(record->id, job.env.get("name")));
}

/// dockerd looks at the request before it looks for the container.
JobResult update(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto asked, model::decodeUpdateRequest(job.body));
  std::vector<std::string> warnings;
  FLO_TRY(model::validateUpdate(asked, parts.lifecycle.parts.facts.host, warnings));
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  FLO_TRY(parts.lifecycle.updater.update(record->id, asked));
  return JobOutput{JsonWriter().beginObject().listOrNull("Warnings", warnings).endObject().take(),
                   {}};
}

}  // namespace

void addContainerJobs(JobEngine& engine, ContainerJobParts parts_in) {
  const auto parts = std::make_shared<Parts>(parts_in);
  const auto simple = [&](const char* name, JobResult (*handler)(Parts&, const Job&)) {
    engine.handle(name, Lane::Work, [parts, handler](const JobContextPtr& context) {
      context->complete(handler(*parts, context->job()));
    });
  };
  const auto continued = [&](const char* name, void (*handler)(Parts&, const JobContextPtr&)) {
    engine.handle(name, Lane::Work,
                  [parts, handler](const JobContextPtr& context) { handler(*parts, context); });
  };
  simple("container_create", create);
  simple("container_start", start);
  simple("container_pause", pause);
  simple("container_unpause", unpause);
  simple("container_rename", rename);
  simple("container_update", update);
  continued("container_stop", stop);
  continued("container_restart", restart);
  continued("container_kill", kill);
  continued("container_remove", remove);
  // A wait registers and returns; it must not queue behind starts.
  engine.handle("container_wait", Lane::Query,
                [parts](const JobContextPtr& context) { wait(*parts, context); });
}

}  // namespace flotilla::engine
