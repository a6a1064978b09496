#include "engine/jobs/exec_jobs.h"

#include <memory>
#include <utility>

#include "common/json/json.h"
#include "engine/jobs/handler_tools.h"
#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

using Parts = ContainerJobParts;

std::string execId(const Job& job) { return job.args.empty() ? "" : job.args.front(); }

JobResult createExec(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(auto config, model::decodeExecConfig(job.body, job.api_version));
  FLO_TRY_ASSIGN(const auto record, namedContainer(parts.lifecycle, job));
  FLO_TRY_ASSIGN(config.detach_keys, parseDetachKeys(config.detach_keys));
  FLO_TRY_ASSIGN(const auto id, parts.lifecycle.execs.create(*record, config));
  return JobOutput{"{\"Id\":\"" + id + "\"}", {}};
}

Result<ExecStartOptions> startOptions(const Job& job) {
  FLO_TRY_ASSIGN(const json::Json body, json::parse(job.body.empty() ? "{}" : job.body));
  ExecStartOptions options;
  FLO_TRY_ASSIGN(options.detach, json::boolOr(body, "Detach", false));
  FLO_TRY_ASSIGN(options.tty, json::boolOr(body, "Tty", false));
  const auto size = body.find("ConsoleSize");
  if (size != body.end() && size->is_array() && size->size() == 2 &&
      (*size)[0].is_number_unsigned() && (*size)[1].is_number_unsigned()) {
    options.height = (*size)[0].get<unsigned>();
    options.width = (*size)[1].get<unsigned>();
  }
  return options;
}

JobResult startExec(Parts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  FLO_TRY_ASSIGN(const auto options, startOptions(job));
  FLO_TRY_ASSIGN(const auto exec, parts.lifecycle.execs.get(execId(job)));
  FLO_TRY_ASSIGN(auto endpoint, parts.lifecycle.execs.start(exec.id, options));
  if (!options.detach) {
    Established message;
    message.stream = std::move(endpoint);
    message.env.setBool("tty", exec.config.tty);
    context->established(std::move(message));
  }
  return JobOutput{};
}

JobResult inspectExec(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const auto exec, parts.lifecycle.execs.inspect(execId(job)));
  const model::ExecConfig& config = exec.config;
  JsonWriter out;
  out.beginObject()
      .member("ID", exec.id)
      .member("Running", exec.state == ExecRecord::State::Started);
  exec.exit_code ? out.member("ExitCode", *exec.exit_code) : out.nullMember("ExitCode");
  out.key("ProcessConfig")
      .beginObject()
      .member("tty", config.tty)
      .member("entrypoint", config.cmd.empty() ? "" : config.cmd.front())
      .member("arguments", config.cmd.empty()
                               ? std::vector<std::string>{}
                               : std::vector<std::string>(config.cmd.begin() + 1, config.cmd.end()))
      .member("privileged", config.privileged);
  if (!config.user.empty()) {
    out.member("user", config.user);
  }
  out.endObject()
      .member("OpenStdin", config.attach_stdin)
      .member("OpenStderr", config.attach_stderr)
      .member("OpenStdout", config.attach_stdout)
      .member("CanRemove", false)
      .member("ContainerID", exec.container);
  out.member("DetachKeys", config.detach_keys).member("Pid", exec.pid).endObject();
  return JobOutput{out.take(), {}};
}

JobResult resizeExec(Parts& parts, const Job& job) {
  FLO_TRY_ASSIGN(const unsigned height, parseTerminalSize(job, "h", "height"));
  FLO_TRY_ASSIGN(const unsigned width, parseTerminalSize(job, "w", "width"));
  return emptyResult(parts.lifecycle.execs.resize(execId(job), height, width));
}

}  // namespace

void addExecJobs(JobEngine& engine, ContainerJobParts parts_in) {
  const auto parts = std::make_shared<Parts>(parts_in);
  const auto simple = [&](const char* name, Lane lane, JobResult (*handler)(Parts&, const Job&)) {
    engine.handle(name, lane, [parts, handler](const JobContextPtr& context) {
      context->complete(handler(*parts, context->job()));
    });
  };
  simple("exec_create", Lane::Query, createExec);
  simple("exec_inspect", Lane::Query, inspectExec);
  simple("exec_resize", Lane::Query, resizeExec);
  engine.handle("exec_start", Lane::Work, [parts](const JobContextPtr& context) {
    context->complete(startExec(*parts, context));
  });
}

}  // namespace flotilla::engine
