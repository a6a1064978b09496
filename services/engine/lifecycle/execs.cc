#include "engine/lifecycle/execs.h"

#include <utility>

#include "common/os/atomic_file.h"
#include "common/os/random.h"
#include "engine/lifecycle/container_events.h"
#include "engine/runtime/oci_spec.h"
#include "engine/shim/root_files.h"
#include "engine/shim/user_lookup.h"

namespace flotilla::engine {
namespace {

constexpr unsigned kExpireEvery = 16;

/// "exec_create: sh -c ls": dockerd puts the command line into the action, with a blank behind the
/// program even when nothing follows.
std::string action(const std::string& what, const model::ExecConfig& config) {
  std::string text = what + ": ";
  for (std::size_t i = 0; i < config.cmd.size(); ++i) {
    text += config.cmd[i];
    text += i == 0 || i + 1 < config.cmd.size() ? " " : "";
  }
  return text;
}

/// dockerd refuses an unknown user when the exec is made, not when it starts.
Result<void> checkUser(int pid, const std::string& user) {
  if (user.empty()) {
    return {};
  }
  const auto root = shim::RootFiles::open("/proc/" + std::to_string(pid) + "/root");
  if (!root) {
    return {};  // exiting: the start will say so
  }
  auto resolved = shim::resolveUser(user, {}, root->read("/etc/passwd"), root->read("/etc/group"));
  return resolved ? Result<void>{} : std::move(resolved).error().as(ErrorKind::InvalidArgument);
}

Error alreadyRan(const std::string& id) {
  return Error{ErrorKind::Conflict, "exec command " + id + " has already run"};
}

}  // namespace

Result<std::string> Execs::create(const ContainerRecord& record, const model::ExecConfig& config) {
  if (!record.state.running()) {
    return Error{ErrorKind::Conflict, "container " + record.id + " is not running"};
  }
  if (record.state.status == ContainerStatus::Paused) {
    return Error{ErrorKind::Conflict,
                 "Container " + record.name + " is paused, unpause the container before exec"};
  }
  if (record.state.status == ContainerStatus::Restarting) {
    return Error{ErrorKind::Conflict,
                 "Container " + record.id + " is restarting, wait until the container is running"};
  }
  FLO_TRY(checkUser(record.state.pid, config.user));
  ExecRecord exec;
  exec.id = randomHex(32);
  exec.container = record.id;
  exec.config = config;
  ExecStart soon;
  soon.exec_id = exec.id;
  soon.tty = config.tty;
  soon.stdin_open = config.attach_stdin;
  parts_.sessions.execPrepare(record.id, soon);
  FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    if (created_.fetch_add(1) % kExpireEvery == 0) {
      FLO_TRY(expireExecs(transaction, exec.container, parts_.clock()));
    }
    FLO_TRY(insertExec(transaction, exec));
    return parts_.events.append(
        transaction, containerEvent(record, action("exec_create", config), {{"execID", exec.id}}));
  }));
  return exec.id;
}

Result<ExecRecord> Execs::get(const std::string& id) {
  std::optional<ExecRecord> found;
  FLO_TRY(parts_.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(found, loadExec(transaction, id));
    return {};
  }));
  if (!found) {
    return Error{ErrorKind::NotFound, "No such exec instance: " + id};
  }
  return std::move(*found);
}

Result<ContainerRecordPtr> Execs::runningContainer(const ExecRecord& exec) {
  FLO_TRY_ASSIGN(auto record, parts_.catalog.find(exec.container));
  if (!record || !record->state.running()) {
    return Error{ErrorKind::Conflict, "container " + exec.container + " is not running"};
  }
  if (record->state.status == ContainerStatus::Paused) {
    return Error{ErrorKind::Conflict,
                 "Container " + record->name + " is paused, unpause the container before exec"};
  }
  return record;
}

Result<StreamEndpoint> Execs::start(const std::string& id, const ExecStartOptions& options) {
  FLO_TRY_ASSIGN(const auto exec, get(id));
  FLO_TRY_ASSIGN(const auto record, runningContainer(exec));
  FLO_TRY_ASSIGN(const auto spec_json, readFile(parts_.paths.bundle(record->id) + "/config.json"));
  FLO_TRY_ASSIGN(const auto process_json,
                 buildExecProcess(spec_json, exec.config, parts_.facts.host.capabilities));
  FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(const bool claimed, claimExec(transaction, id));
    if (!claimed) {
      return alreadyRan(id);
    }
    return parts_.events.append(
        transaction, containerEvent(*record, action("exec_start", exec.config), {{"execID", id}}));
  }));
  ExecStart start;
  start.exec_id = id;
  start.tty = exec.config.tty;
  start.detach = options.detach;
  start.stdin_open = exec.config.attach_stdin && !options.detach;
  start.stdout_open = exec.config.attach_stdout;
  start.stderr_open = exec.config.attach_stderr;
  start.detach_keys = exec.config.detach_keys;
  start.height = options.height != 0 ? options.height : exec.config.console_height;
  start.width = options.width != 0 ? options.width : exec.config.console_width;
  return parts_.sessions.execStart(record->id, std::move(start), process_json);
}

Result<ExecRecord> Execs::inspect(const std::string& id) {
  FLO_TRY_ASSIGN(auto exec, get(id));
  if (exec.state != ExecRecord::State::Started) {
    return exec;
  }
  // The shim knows before the journal was read (decisions.md 12).
  const auto state = parts_.sessions.execState(exec.container, id);
  if (state) {
    exec.pid = state->pid != 0 ? state->pid : exec.pid;
    if (!state->running && state->exit_code) {
      exec.state = ExecRecord::State::Exited;
      exec.exit_code = state->exit_code;
    }
    return exec;
  }
  return get(id);
}

Result<void> Execs::resize(const std::string& id, unsigned height, unsigned width) {
  FLO_TRY_ASSIGN(const auto exec, get(id));
  if (exec.state != ExecRecord::State::Started) {
    return Error{ErrorKind::Conflict, "exec process is not started"};
  }
  return parts_.sessions.execResize(exec.container, id, height, width);
}

}  // namespace flotilla::engine
