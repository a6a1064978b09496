#include "engine/runtime/shim_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/os/random.h"
#include "engine/runtime/shim_connection.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kQuick{5000};  // requests the shim answers from memory
constexpr milliseconds kExecStart{60000};
constexpr std::size_t kTicketBytes = 16;

json keyBytes(const std::string& keys) {
  json list = json::array();
  for (const char key : keys) {
    list.push_back(static_cast<unsigned>(static_cast<unsigned char>(key)));
  }
  return list;
}

Result<void> done(const Result<json>& reply) {
  FLO_TRY(reply);
  return {};
}

}  // namespace

bool ShimClient::alive() const {
  const UniqueFd lock(::open((run_dir_ + "/shim.lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock) {
    return false;
  }
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<int> ShimClient::go(milliseconds timeout, unsigned run) {
  FLO_TRY_ASSIGN(const json reply, callShim(run_dir_, {{"op", "go"}, {"run", run}}, timeout));
  return reply.value("pid", 0);
}

Result<StreamEndpoint> ShimClient::attach(const AttachOptions& options) {
  StreamEndpoint endpoint{"unix:" + run_dir_ + "/io.sock", randomHex(kTicketBytes)};
  FLO_TRY(callShim(run_dir_,
                   {{"op", "expect_attach"},
                    {"ticket", endpoint.ticket},
                    {"stdin", options.stdin_open},
                    {"stdout", options.stdout_open},
                    {"stderr", options.stderr_open},
                    {"logs", options.logs},
                    {"stream", options.stream},
                    {"detach_keys", keyBytes(options.detach_keys)}},
                   kQuick));
  return endpoint;
}

void ShimClient::execPrepare(const ExecStart& options) {
  const json request = {{"op", "exec_prepare"},
                        {"exec_id", options.exec_id},
                        {"tty", options.tty},
                        {"stdin", options.stdin_open}};
  if (const auto fd = connectShim(run_dir_)) {
    const std::string packet = request.dump();
    (void)!::send(fd->get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

Result<StreamEndpoint> ShimClient::execStart(const ExecStart& options) {
  StreamEndpoint endpoint{"unix:" + run_dir_ + "/io.sock",
                          options.detach ? "" : randomHex(kTicketBytes)};
  FLO_TRY(callShim(run_dir_,
                   {{"op", "exec_start"},
                    {"exec_id", options.exec_id},
                    {"process_file", options.process_file},
                    {"ticket", endpoint.ticket},
                    {"tty", options.tty},
                    {"stdin", options.stdin_open},
                    {"stdout", options.stdout_open},
                    {"stderr", options.stderr_open},
                    {"detach_keys", keyBytes(options.detach_keys)},
                    {"height", options.height},
                    {"width", options.width}},
                   kExecStart));
  return endpoint;
}

Result<ExecState> ShimClient::execState(const std::string& exec_id) {
  FLO_TRY_ASSIGN(const json reply,
                 callShim(run_dir_, {{"op", "exec_state"}, {"exec_id", exec_id}}, kQuick));
  ExecState state;
  state.running = reply.value("running", false);
  state.pid = reply.value("pid", 0);
  if (const auto code = reply.find("exit_code"); code != reply.end() && code->is_number()) {
    state.exit_code = code->get<int>();
  }
  return state;
}

Result<void> ShimClient::resize(unsigned height, unsigned width) {
  return done(callShim(run_dir_, {{"op", "resize"}, {"height", height}, {"width", width}}, kQuick));
}

Result<void> ShimClient::execResize(const std::string& exec_id, unsigned height, unsigned width) {
  return done(callShim(
      run_dir_, {{"op", "exec_resize"}, {"exec_id", exec_id}, {"height", height}, {"width", width}},
      kQuick));
}

Result<void> ShimClient::signal(int signal_number) {
  return done(callShim(run_dir_, {{"op", "signal"}, {"signal", signal_number}}, kQuick));
}

Result<void> ShimClient::pause() { return done(callShim(run_dir_, {{"op", "pause"}}, 2 * kQuick)); }

Result<void> ShimClient::resume() {
  return done(callShim(run_dir_, {{"op", "resume"}}, 2 * kQuick));
}

Result<std::vector<int>> ShimClient::pids() {
  FLO_TRY_ASSIGN(const json reply, callShim(run_dir_, {{"op", "pids"}}, kQuick));
  std::vector<int> pids;
  for (const json& pid : reply.value("pids", json::array())) {
    if (pid.is_number_integer()) {
      pids.push_back(pid.get<int>());
    }
  }
  return pids;
}

Result<void> ShimClient::stopping(bool manual) {
  return done(callShim(run_dir_, {{"op", "stopping"}, {"manual", manual}}, kQuick));
}

Result<void> ShimClient::restartPolicy(const shim::RestartPolicy& policy) {
  return done(callShim(
      run_dir_,
      {{"op", "restart_policy"}, {"name", policy.name}, {"max_retries", policy.max_retries}},
      kQuick));
}

Result<void> ShimClient::limits(const std::string& resources_json) {
  return done(callShim(
      run_dir_, {{"op", "limits"}, {"resources", json::parse(resources_json, nullptr, false)}},
      kExecStart));
}

Result<void> ShimClient::end() { return done(callShim(run_dir_, {{"op", "end"}}, kQuick)); }

}  // namespace flotilla::engine
