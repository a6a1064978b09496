#include "engine/store/exec_store.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr std::int64_t kExecKeptNs = 300LL * 1'000'000'000LL;
constexpr std::int64_t kKeptCount = 1000;

std::string_view stateName(ExecRecord::State state) {
  switch (state) {
    case ExecRecord::State::Created:
      return "created";
    case ExecRecord::State::Started:
      return "started";
    case ExecRecord::State::Exited:
      return "exited";
  }
  return "exited";
}

ExecRecord::State stateFromName(std::string_view name) {
  if (name == "created") {
    return ExecRecord::State::Created;
  }
  return name == "started" ? ExecRecord::State::Started : ExecRecord::State::Exited;
}

}  // namespace

std::string encodeExecConfig(const model::ExecConfig& config) {
  return json{{"stdin", config.attach_stdin},
              {"stdout", config.attach_stdout},
              {"stderr", config.attach_stderr},
              {"tty", config.tty},
              {"privileged", config.privileged},
              {"detach", config.detach},
              {"detach_keys", config.detach_keys},
              {"user", config.user},
              {"working_dir", config.working_dir},
              {"env", config.env},
              {"cmd", config.cmd},
              {"height", config.console_height},
              {"width", config.console_width}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

model::ExecConfig decodeStoredExecConfig(const std::string& text) {
  model::ExecConfig config;
  const json from = json::parse(text, nullptr, false);
  if (!from.is_object()) {
    return config;
  }
  config.attach_stdin = from.value("stdin", false);
  config.attach_stdout = from.value("stdout", false);
  config.attach_stderr = from.value("stderr", false);
  config.tty = from.value("tty", false);
  config.privileged = from.value("privileged", false);
  config.detach = from.value("detach", false);
  config.detach_keys = from.value("detach_keys", "");
  config.user = from.value("user", "");
  config.working_dir = from.value("working_dir", "");
  config.env = from.value("env", std::vector<std::string>{});
  config.cmd = from.value("cmd", std::vector<std::string>{});
  config.console_height = from.value("height", 0U);
  config.console_width = from.value("width", 0U);
  return config;
}

Result<void> expireExecs(Transaction& transaction, const std::string& container,
                         std::int64_t now_ns) {
  FLO_TRY_ASSIGN(auto old, transaction.prepare("DELETE FROM execs WHERE container = ? AND state ="
                                               " 'exited' AND finished_ns < ?"));
  FLO_TRY(old.bind(container).bind(now_ns - kExecKeptNs).run());
  FLO_TRY_ASSIGN(auto many, transaction.prepare(
                                "DELETE FROM execs WHERE container = ?1 AND state = 'exited' AND id"
                                " NOT IN (SELECT id FROM execs WHERE container = ?1 ORDER BY state"
                                " = 'exited', finished_ns DESC LIMIT ?2)"));
  return many.bind(container).bind(kKeptCount).run();
}

Result<void> insertExec(Transaction& transaction, const ExecRecord& exec) {
  FLO_TRY_ASSIGN(auto insert, transaction.prepare("INSERT INTO execs(id, container, config, state)"
                                                  " VALUES(?,?,?,?)"));
  return insert.bind(exec.id)
      .bind(exec.container)
      .bind(encodeExecConfig(exec.config))
      .bind(stateName(exec.state))
      .run();
}

Result<std::optional<ExecRecord>> loadExec(Transaction& transaction, const std::string& id) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT container, config, state, pid, exit_code FROM"
                                     " execs WHERE id = ?"));
  select.bind(id);
  FLO_TRY_ASSIGN(const bool row, select.step());
  if (!row) {
    return std::optional<ExecRecord>();
  }
  ExecRecord exec;
  exec.id = id;
  exec.container = select.text(0);
  exec.config = decodeStoredExecConfig(select.text(1));
  exec.state = stateFromName(select.view(2));
  exec.pid = static_cast<int>(select.integer(3));
  if (!select.isNull(4)) {
    exec.exit_code = static_cast<int>(select.integer(4));
  }
  return std::optional<ExecRecord>(std::move(exec));
}

Result<bool> claimExec(Transaction& transaction, const std::string& id) {
  FLO_TRY_ASSIGN(auto update,
                 transaction.prepare("UPDATE execs SET state = 'started' WHERE id = ? AND"
                                     " state = 'created'"));
  FLO_TRY(update.bind(id).run());
  return transaction.changes() == 1;
}

Result<void> noteExecPid(Transaction& transaction, const std::string& id, int pid) {
  FLO_TRY_ASSIGN(auto update, transaction.prepare("UPDATE execs SET pid = ? WHERE id = ?"));
  return update.bind(pid).bind(id).run();
}

Result<void> noteExecExit(Transaction& transaction, const std::string& id, int exit_code,
                          std::int64_t now_ns) {
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE execs SET state = 'exited', exit_code = ?, finished_ns = ?"
                          " WHERE id = ? AND state <> 'exited'"));
  return update.bind(exit_code).bind(now_ns).bind(id).run();
}

Result<std::vector<std::string>> endExecs(Transaction& transaction, const std::string& container,
                                          int exit_code, std::int64_t now_ns) {
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE execs SET state = 'exited', exit_code = ?, finished_ns = ?"
                          " WHERE container = ? AND state = 'started' RETURNING id"));
  update.bind(exit_code).bind(now_ns).bind(container);
  std::vector<std::string> ended;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, update.step());
    if (!row) {
      return ended;
    }
    ended.push_back(update.text(0));
  }
}

Result<std::vector<std::string>> runningExecs(Transaction& transaction,
                                              const std::string& container) {
  FLO_TRY_ASSIGN(auto select,
                 transaction.prepare("SELECT id FROM execs WHERE container = ? AND state ="
                                     " 'started' ORDER BY id"));
  select.bind(container);
  std::vector<std::string> ids;
  while (true) {
    FLO_TRY_ASSIGN(const bool row, select.step());
    if (!row) {
      return ids;
    }
    ids.push_back(select.text(0));
  }
}

}  // namespace flotilla::engine
