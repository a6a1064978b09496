// flotilla exec: another process in a running container.
#include "cli/commands/attached.h"
#include "cli/commands/command.h"
#include "common/http/percent.h"

namespace flotilla::cli {
namespace {

struct ExecOptions {
  bool interactive = false;
  bool tty = false;
  bool detach = false;
  bool privileged = false;
  std::string user;
  std::string workdir;
  std::string detach_keys;
  std::vector<std::string> env;
  std::string container;
  std::vector<std::string> command;
};

nlohmann::json execConfig(const ExecOptions& options) {
  nlohmann::json config = {{"AttachStdin", options.interactive && !options.detach},
                           {"AttachStdout", !options.detach},
                           {"AttachStderr", !options.detach},
                           {"Tty", options.tty},
                           {"Privileged", options.privileged},
                           {"User", options.user},
                           {"WorkingDir", options.workdir},
                           {"Env", options.env},
                           {"Cmd", options.command}};
  if (const auto size = terminalSize(STDOUT_FILENO); options.tty && size) {
    config["ConsoleSize"] = {size->rows, size->columns};
  }
  return config;
}

Result<int> runExec(ApiClient& client, const ExecOptions& options) {
  FLO_TRY(checkTerminal(options.tty && !options.detach, options.interactive));
  FLO_TRY_ASSIGN(const auto created,
                 client.post("/containers/" + http::percentEncode(options.container) + "/exec",
                             execConfig(options)));
  const std::string path = "/exec/" + text(created, "Id");
  if (options.detach) {
    FLO_TRY(client.post(path + "/start", {{"Detach", true}, {"Tty", options.tty}}));
    return 0;
  }
  FLO_TRY_ASSIGN(const auto signals, SignalSource::create(false));
  FLO_TRY_ASSIGN(auto stream,
                 client.hijack(path + "/start", {{"Detach", false}, {"Tty", options.tty}}));
  FLO_TRY_ASSIGN(auto terminal, AttachedTerminal::create(client, path + "/resize", options.tty,
                                                         options.interactive));
  terminal.resize();
  const PumpOptions moving{.tty = options.tty,
                           .input = options.interactive,
                           .detach_keys = options.detach_keys,
                           .on_resize = [&terminal] { terminal.resize(); },
                           .on_signal = {}};
  FLO_TRY_ASSIGN(const auto end, pump(stream, signals, moving));
  if (end == PumpEnd::Detached) {
    return 0;
  }
  FLO_TRY_ASSIGN(const auto state, client.get(path + "/json"));
  return static_cast<int>(number(state, "ExitCode"));
}

}  // namespace

void addExec(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("exec", "Execute a command in a running container");
  auto options = std::make_shared<ExecOptions>();
  verb->add_flag("-i,--interactive", options->interactive, "Keep STDIN open even if not attached");
  verb->add_flag("-t,--tty", options->tty, "Allocate a pseudo-TTY");
  verb->add_flag("-d,--detach", options->detach, "Detached mode: run command in the background");
  verb->add_flag("--privileged", options->privileged, "Give extended privileges to the command");
  verb->add_option("-u,--user", options->user,
                   "Username or UID (format: \"<name|uid>[:<group|gid>]\")");
  verb->add_option("-w,--workdir", options->workdir, "Working directory inside the container");
  verb->add_option("--detach-keys", options->detach_keys,
                   "Override the key sequence for detaching a container");
  verb->add_option("-e,--env", options->env, "Set environment variables")->allow_extra_args(false);
  verb->prefix_command();
  verb->footer("CONTAINER COMMAND [ARG...]");
  verb->callback([verb, options, &chosen] {
    auto rest = verb->remaining();
    if (rest.size() < 2) {
      throw CLI::ValidationError(
          "'flotilla exec' requires at least 2 arguments\n\nUsage:  flotilla exec [OPTIONS] "
          "CONTAINER COMMAND [ARG...]",
          1);
    }
    if (rest.front().starts_with('-')) {
      throw CLI::ValidationError("unknown flag: " + rest.front(), kDaemonFailed);
    }
    options->container = rest.front();
    options->command.assign(rest.begin() + 1, rest.end());
    chosen.action = [options](ApiClient& client) { return runExec(client, *options); };
  });
}

}  // namespace flotilla::cli
