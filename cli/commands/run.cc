// flotilla run: create, attach, wait, start, and the container's exit code.
#include <csignal>

#include "cli/commands/attached.h"
#include "cli/commands/command.h"
#include "cli/commands/pull.h"
#include "cli/commands/run_options.h"

namespace flotilla::cli {
namespace {

/// One run from create to exit code.
class Run {
 public:
  Run(ApiClient& client, const RunOptions& options, Chosen& chosen)
      : client_(client), options_(options), chosen_(chosen) {}

  Result<int> execute() {
    FLO_TRY(checkTerminal(options_.tty && !options_.detach, options_.interactive));
    FLO_TRY(create());
    if (options_.detach) {
      FLO_TRY(start());
      std::printf("%s\n", id_.c_str());
      return 0;
    }
    return foreground();
  }

 private:
  Result<void> create() {
    FLO_TRY_ASSIGN(const auto body, createBody(options_, terminalSize(STDOUT_FILENO)));
    const auto target =
        withQuery("/containers/create", {{"name", options_.name}, {"platform", options_.platform}});
    auto created = client_.post(target, body);
    if (!created && created.error().kind() == ErrorKind::NotFound &&
        created.error().message().find("No such image") != std::string::npos) {
      FLO_TRY(pullAbsent());
      created = client_.post(target, body);
    }
    FLO_TRY(created);
    id_ = text(*created, "Id");
    for (const auto& warning : created->value("Warnings", nlohmann::json::array())) {
      printError("WARNING: " + (warning.is_string() ? warning.get<std::string>() : warning.dump()));
    }
    return {};
  }

  /// In docker's words, all of it on standard error: standard output is the container's.
  Result<void> pullAbsent() {
    const std::size_t slash = options_.image.rfind('/');
    const std::size_t from = slash == std::string::npos ? 0 : slash;
    const bool exact = options_.image.find_first_of(":@", from) != std::string::npos;
    const std::string image = options_.image + (exact ? "" : ":latest");
    printError("Unable to find image '" + image + "' locally");
    PullDisplay display(stderr);
    return pullImage(client_, image, options_.platform, display);
  }

  Result<void> start() {
    const auto started = client_.post(path("/start"));
    if (!started) {
      chosen_.failure_code = startFailureCode(started.error().message());
      return started.error();
    }
    return {};
  }

  /// Attached and waiting before the start, so that neither first bytes nor the exit are missed.
  Result<int> foreground() {
    FLO_TRY_ASSIGN(const auto signals, SignalSource::create(options_.signal_proxy));
    const auto attach = withQuery(path("/attach"), {{"stream", "1"},
                                                    {"stdout", "1"},
                                                    {"stderr", "1"},
                                                    {"stdin", options_.interactive ? "1" : ""}});
    FLO_TRY_ASSIGN(auto stream, client_.hijack(attach));
    FLO_TRY_ASSIGN(auto waiting, client_.postAndWaitForHeader(
                                     path("/wait") + (options_.remove ? "?condition=removed"
                                                                      : "?condition=next-exit")));
    FLO_TRY(start());
    FLO_TRY_ASSIGN(const auto end, attached(stream, signals));
    if (end == PumpEnd::Detached) {
      return 0;
    }
    FLO_TRY_ASSIGN(const auto exited, waiting.finish());
    if (exited.contains("Error") && exited["Error"].is_object()) {
      return Error(ErrorKind::Internal, text(exited["Error"], "Message"));
    }
    return static_cast<int>(number(exited, "StatusCode"));
  }

  Result<PumpEnd> attached(HttpStream& stream, const SignalSource& signals) {
    FLO_TRY_ASSIGN(auto terminal, AttachedTerminal::create(client_, path("/resize"), options_.tty,
                                                           options_.interactive));
    terminal.resize();
    PumpOptions moving{.tty = options_.tty,
                       .input = options_.interactive,
                       .detach_keys = options_.detach_keys,
                       .on_resize = [&terminal] { terminal.resize(); },
                       .on_signal = {}};
    moving.on_signal = [this](int signal) {
      // The container may have ended by itself meanwhile: its exit is what is reported.
      static_cast<void>(client_.post(path("/kill") + "?signal=" + std::to_string(signal)));
    };
    return pump(stream, signals, moving);
  }

  [[nodiscard]] std::string path(const char* what) const { return "/containers/" + id_ + what; }

  ApiClient& client_;
  const RunOptions& options_;
  Chosen& chosen_;
  std::string id_;
};

}  // namespace

void addRun(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("run", "Create and run a new container from an image");
  auto options = std::make_shared<RunOptions>();
  addRunFlags(*verb, *options);
  verb->prefix_command();
  verb->footer("IMAGE [COMMAND] [ARG...]");
  verb->callback([verb, options, &chosen] {
    auto rest = verb->remaining();
    if (rest.empty()) {
      throw CLI::ValidationError(
          "'flotilla run' requires at least 1 argument\n\nUsage:  flotilla run [OPTIONS] IMAGE "
          "[COMMAND] [ARG...]",
          kDaemonFailed);
    }
    if (rest.front().starts_with('-')) {
      throw CLI::ValidationError("unknown flag: " + rest.front(), kDaemonFailed);
    }
    options->image = rest.front();
    options->command.assign(rest.begin() + 1, rest.end());
    chosen.failure_code = kDaemonFailed;
    chosen.hint_help = true;
    chosen.action = [options, &chosen](ApiClient& client) {
      return Run(client, *options, chosen).execute();
    };
  });
}

}  // namespace flotilla::cli
