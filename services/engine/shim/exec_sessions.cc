#include "engine/shim/exec_sessions.h"

#include <algorithm>
#include <utility>

namespace flotilla::engine::shim {

using nlohmann::json;

std::string textMember(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flagMember(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_boolean() && found->get<bool>();
}

unsigned numberMember(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_number_unsigned() ? found->get<unsigned>() : 0;
}

StreamOptions streamOptions(const json& request) {
  StreamOptions options;
  options.in = flagMember(request, "stdin");
  options.out = flagMember(request, "stdout");
  options.err = flagMember(request, "stderr");
  options.replay = flagMember(request, "logs");
  const auto keys = request.find("detach_keys");
  for (const json& key : keys != request.end() && keys->is_array() ? *keys : json::array()) {
    if (key.is_number_unsigned() && options.detach_keys.size() < 64) {
      options.detach_keys += static_cast<char>(key.get<unsigned>() & 0xffU);
    }
  }
  return options;
}

ExecSessions::SessionPtr ExecSessions::find(const std::string& exec_id) const {
  const auto found = sessions_.find(exec_id);
  return found == sessions_.end() ? nullptr : found->second;
}

void ExecSessions::start(const json& request, int init_pid, const ControlServer::Answer& answer) {
  purge();
  auto session = std::make_shared<Session>();
  session->id = textMember(request, "exec_id");
  session->height = numberMember(request, "height");
  session->width = numberMember(request, "width");
  if (session->id.empty() || find(session->id)) {
    answer(errorAnswer(
        Error{ErrorKind::Conflict, "exec " + session->id + " has been started before"}));
    return;
  }
  const auto root = RootFiles::open("/proc/" + std::to_string(init_pid) + "/root");
  if (!root) {
    answer(errorAnswer(
        Error{ErrorKind::Conflict, "container " + parts_.spec.container_id + " is not running"}));
    return;
  }
  auto failure =
      completeExec(textMember(request, "process_file"), *root, session->process, session->plan);
  if (failure && failure->error.kind() == ErrorKind::Internal && failure->code == 128 &&
      !failure->error.message().starts_with("OCI runtime")) {
    answer(errorAnswer(failure->error, failure->code));  // the user's lookup: before the stream
    return;
  }
  usePrepared(session, request, !failure);
  if (auto opened = openStreams(session, request); !opened) {
    if (session->prepared) {
      prepared_.dismiss(session->prepared);
    }
    answer(errorAnswer(opened.error()));
    return;
  }
  sessions_[session->id] = session;
  ++busy_;
  const bool detached = textMember(request, "ticket").empty();
  session->answer = detached ? answer : nullptr;
  if (failure) {
    failed(session, std::move(*failure));
  } else {
    launch(session);
  }
  if (!detached) {
    answer({{"ok", true}, {"pid", 0}});  // the way to the stream is gone while the process starts
  }
}

void ExecSessions::prepare(const json& request) {
  const std::string id = textMember(request, "exec_id");
  if (!id.empty() && !find(id)) {
    prepared_.prepare(id, nextName(), flagMember(request, "tty"), flagMember(request, "stdin"));
  }
}

void ExecSessions::usePrepared(const SessionPtr& session, const json& request, bool wanted) {
  auto prepared =
      prepared_.take(session->id, flagMember(request, "tty"), flagMember(request, "stdin"));
  if (!prepared) {
    return;
  }
  if (!wanted || !parts_.runtime.hasRoom(prepared->name, session->process.size())) {
    prepared_.dismiss(prepared);
    return;
  }
  session->name = prepared->name;
  session->io = prepared->io;
  session->console = std::move(prepared->console);
  session->prepared = std::move(prepared);
}

Result<void> ExecSessions::openStreams(const SessionPtr& session, const json& request) {
  ProcessIo::Options io_options;
  io_options.tty = flagMember(request, "tty");
  io_options.open_stdin = flagMember(request, "stdin");
  io_options.stdin_once = true;
  if (!session->prepared) {
    session->name = nextName();
    session->io = std::make_shared<ProcessIo>(parts_.loop, nullptr, io_options);
  }
  const std::string ticket = textMember(request, "ticket");
  if (!ticket.empty()) {
    StreamOptions options = streamOptions(request);
    options.raw = io_options.tty;
    FLO_TRY(parts_.door.expect(ticket, [this, session, options](UniqueFd fd) {
      if (fd) {
        session->io->attach(ClientStream::create(parts_.loop, std::move(fd), options));
        if (session->failure) {
          session->io->failWith(session->failure->error.message() + "\r\n");
        }
      }
      session->io->release();
    }));
    session->io->hold();
  }
  if (io_options.tty && !session->console) {
    FLO_TRY_ASSIGN(session->console, ConsoleSocket::listen(session->name + ".sock"));
  }
  return {};
}

void ExecSessions::launch(const SessionPtr& session) {
  if (session->plan.exec_will_fail) {
    session->io->rewordFirstOutput([session](std::string_view output) {
      std::string better = rewordExecError(output, session->plan.program);
      session->exec_failed = !better.empty();
      return better;
    });
  }
  if (auto launched = launchRuntime(session); !launched) {
    failed(session, plainFailure(std::move(launched).error()));
  }
  session->process = {};
}

Result<void> ExecSessions::launchRuntime(const SessionPtr& session) {
  const auto ended = [this, session](int status) { runtimeEnded(session, status); };
  if (const auto prepared = std::exchange(session->prepared, nullptr)) {
    session->io->release();
    if (auto told = parts_.runtime.proceed(session->name, session->process); !told) {
      prepared_.dismiss(prepared);
      return told;
    }
    parts_.children.runtimeStarted();  // from now on there may be a process
    prepared->ended = ended;
    return {};
  }
  FLO_TRY_ASSIGN(const StdioFds stdio, session->io->open());
  const auto pid = parts_.runtime.exec(session->name, session->process, stdio,
                                       session->console ? session->console->path() : std::string());
  session->io->closeChildEnds();
  FLO_TRY(pid);
  parts_.children.runtimeStarted();
  parts_.children.expect(*pid, ended);
  return {};
}

void ExecSessions::runtimeEnded(const SessionPtr& session, int status) {
  const Runtime::Outcome outcome = parts_.runtime.takeOutcome(session->name);
  if (session->console) {
    if (UniqueFd master = session->console->take()) {
      session->io->adoptConsole(std::move(master), session->height, session->width);
    }
    session->console.reset();
  }
  if (status != 0 || outcome.pid <= 0) {
    parts_.children.runtimeEnded();
    failed(session, fromRuntimeLog(Verb::Exec, outcome.log, session->plan.program));
    return;
  }
  session->pid = outcome.pid;
  // No hurry: who inspects a running exec asks the shim.
  parts_.journal.append("exec_start", {{"exec", session->id}, {"pid", session->pid}},
                        JournalWriter::Tell::WithTheNext);
  parts_.children.expect(outcome.pid, [this, session](int how) { exited(session, how); });
  parts_.children.runtimeEnded();
  if (const auto answer = std::exchange(session->answer, nullptr)) {
    answer({{"ok", true}, {"pid", session->pid}});
  }
}

void ExecSessions::exited(const SessionPtr& session, int status) {
  session->io->processExited([this, session, status] {
    session->exit_code = session->exec_failed ? 255 : exitCode(status);
    parts_.journal.append("exec_exit", {{"exec", session->id}, {"exit_code", *session->exit_code}});
    close(session);
  });
}

void ExecSessions::failed(const SessionPtr& session, StartFailure failure) {
  session->exit_code = failure.code;
  parts_.journal.append(
      "exec_exit",
      {{"exec", session->id}, {"exit_code", failure.code}, {"error", failure.error.message()}});
  if (const auto answer = std::exchange(session->answer, nullptr)) {
    answer(errorAnswer(failure.error, failure.code));
  } else {
    session->io->failWith(failure.error.message() + "\r\n");
  }
  session->failure = std::move(failure);
  session->io->closeChildEnds();
  close(session);
}

void ExecSessions::close(const SessionPtr& session) {
  session->ended = std::chrono::steady_clock::now();
  session->io->finish([this, session] {
    session->io.reset();
    if (--busy_ == 0 && on_idle_) {
      on_idle_();
    }
  });
}

json ExecSessions::resize(const json& request) {
  const SessionPtr session = find(textMember(request, "exec_id"));
  if (!session) {
    return errorAnswer(
        Error{ErrorKind::NotFound, "No such exec instance: " + textMember(request, "exec_id")});
  }
  const unsigned height = numberMember(request, "height");
  const unsigned width = numberMember(request, "width");
  if (session->io && session->io->resize(height, width)) {
    return {{"ok", true}};
  }
  if (session->exit_code || session->pid != 0) {
    return errorAnswer(Error{ErrorKind::Internal, "exec " + session->id + " has no terminal"});
  }
  session->height = height;  // applied when the terminal comes
  session->width = width;
  return {{"ok", true}};
}

json ExecSessions::state(const std::string& exec_id) {
  purge();
  const SessionPtr session = find(exec_id);
  if (!session) {
    return errorAnswer(Error{ErrorKind::NotFound, "No such exec instance: " + exec_id});
  }
  json answer = {{"ok", true}, {"running", !session->exit_code}, {"pid", session->pid}};
  answer["exit_code"] = session->exit_code ? json(*session->exit_code) : json();
  return answer;
}

void ExecSessions::purge() {
  const auto now = std::chrono::steady_clock::now();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const bool over = it->second->exit_code && now - it->second->ended > kKeptFor;
    it = over ? sessions_.erase(it) : std::next(it);
  }
  while (sessions_.size() > kKept) {
    auto oldest = sessions_.end();
    for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
      if (it->second->exit_code &&
          (oldest == sessions_.end() || it->second->ended < oldest->second->ended)) {
        oldest = it;
      }
    }
    if (oldest == sessions_.end()) {
      return;
    }
    sessions_.erase(oldest);
  }
}

}  // namespace flotilla::engine::shim
