// flotilla: the client, and by `flotilla daemon` all services in one process.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "cli/commands/command.h"
#include "cli/daemon/daemon.h"
#include "cli/global_options.h"

namespace flotilla::cli {
namespace {

std::optional<std::string> environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the client has one thread
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void addVerbs(CLI::App& app, Chosen& chosen) {
  addRun(app, chosen);
  addExec(app, chosen);
  addPs(app, chosen);
  addLogs(app, chosen);
  addStop(app, chosen);
  addRm(app, chosen);
  addImages(app, chosen);
  addPull(app, chosen);
  addLoad(app, chosen);
  addSwarm(app, chosen);
  addVersion(app, chosen);
  addInfo(app, chosen);
  app.add_subcommand("daemon",
                     "Run all services in one process (its options: flotilla daemon --help)");
}

std::string usedVerb(const CLI::App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? "" : used.front()->get_name();
}

/// Bad command lines: docker's exit codes (125 for run and exec, else 1) and hint.
int reportUsage(const CLI::App& app, const CLI::ParseError& problem) {
  if (problem.get_exit_code() == 0) {
    return app.exit(problem, std::cout, std::cerr);
  }
  const std::string verb = usedVerb(app);
  std::fprintf(stderr, "flotilla: %s\n\nRun 'flotilla%s --help' for more information\n",
               problem.what(), verb.empty() ? "" : (" " + verb).c_str());
  return verb == "run" || verb == "exec" ? kDaemonFailed : 1;
}

int report(const Error& error, const Chosen& chosen) {
  if (chosen.hint_help) {
    printError("flotilla: " + error.message() +
               "\n\nRun 'flotilla run --help' for more information");
  } else {
    printError(error.message());
  }
  return chosen.failure_code;
}

int runClient(int argc, char** argv) {
  CLI::App app("Flotilla: one Docker engine made of many hosts", "flotilla");
  GlobalOptions options;
  Chosen chosen;
  addGlobalOptions(app, options);
  app.set_version_flag("-v,--version", "Flotilla version " FLOTILLA_VERSION);
  addVerbs(app, chosen);
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return reportUsage(app, problem);
  }
  auto endpoint = chooseEndpoint(options, environment);
  if (!endpoint) {
    return report(endpoint.error(), chosen);
  }
  ApiClient client(*std::move(endpoint));
  const auto code = chosen.action(client);
  std::fflush(stdout);
  return code ? *code : report(code.error(), chosen);
}

}  // namespace
}  // namespace flotilla::cli

int main(int argc, char** argv) {
  // The daemon has a command line of its own; the client's options mean nothing to it.
  if (argc > 1 && std::strcmp(argv[1], "daemon") == 0) {
    return flotilla::daemonMain(argc - 1, argv + 1);
  }
  return flotilla::cli::runClient(argc, argv);
}
