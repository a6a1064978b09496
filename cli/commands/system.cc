// flotilla version, flotilla info.
#include <fmt/format.h>

#include "cli/commands/command.h"
#include "cli/format/units.h"

namespace flotilla::cli {
namespace {

struct FormatOptions {
  std::string format;
};

void addFormat(CLI::App& verb, FormatOptions& options) {
  verb.add_option("-f,--format", options.format, "json: print the daemon's answer")
      ->check(CLI::IsMember({"json"}));
}

Result<int> showVersion(ApiClient& client, const FormatOptions& options) {
  const auto server = client.get("/version");
  if (options.format == "json") {
    const nlohmann::json both = {{"Client", {{"Version", FLOTILLA_VERSION}}},
                                 {"Server", server ? *server : nlohmann::json()}};
    fmt::print("{}\n", both.dump());
  } else {
    fmt::print("Client: Flotilla\n Version:           {}\n", FLOTILLA_VERSION);
  }
  if (!server) {
    std::fflush(stdout);
    return server.error();
  }
  if (options.format == "json") {
    return 0;
  }
  const std::string api =
      text(*server, "ApiVersion") + " (minimum version " + text(*server, "MinAPIVersion") + ")";
  fmt::print(
      "\nServer: {}\n Engine:\n  Version:          {}\n  API version:      {}\n  Git commit:       "
      "{}\n  Built:            {}\n  OS/Arch:          {}/{}\n",
      text(server->value("Platform", nlohmann::json::object()), "Name"), text(*server, "Version"),
      api, text(*server, "GitCommit"), text(*server, "BuildTime"), text(*server, "Os"),
      text(*server, "Arch"));
  for (const auto& component : server->value("Components", nlohmann::json::array())) {
    if (text(component, "Name") != "Engine") {
      fmt::print(" {}:\n  Version:          {}\n", text(component, "Name"),
                 text(component, "Version"));
    }
  }
  return 0;
}

void line(const char* name, const std::string& value) {
  if (!value.empty()) {
    fmt::print(" {}: {}\n", name, value);
  }
}

Result<int> showInfo(ApiClient& client, const FormatOptions& options) {
  FLO_TRY_ASSIGN(const auto info, client.get("/info"));
  if (options.format == "json") {
    fmt::print("{}\n", info.dump());
    return 0;
  }
  fmt::print(
      "Client:\n Version:    {}\n\nServer:\n Containers: {}\n  Running: {}\n  Paused: {}\n  "
      "Stopped: {}\n Images: {}\n",
      FLOTILLA_VERSION, number(info, "Containers"), number(info, "ContainersRunning"),
      number(info, "ContainersPaused"), number(info, "ContainersStopped"), number(info, "Images"));
  line("Server Version", text(info, "ServerVersion"));
  line("Storage Driver", text(info, "Driver"));
  line("Logging Driver", text(info, "LoggingDriver"));
  line("Cgroup Driver", text(info, "CgroupDriver"));
  line("Cgroup Version", text(info, "CgroupVersion"));
  line("Default Runtime", text(info, "DefaultRuntime"));
  line("Init Binary", text(info, "InitBinary"));
  line("Kernel Version", text(info, "KernelVersion"));
  line("Operating System", text(info, "OperatingSystem"));
  line("OSType", text(info, "OSType"));
  line("Architecture", text(info, "Architecture"));
  line("CPUs", std::to_string(number(info, "NCPU")));
  line("Total Memory", binarySize(static_cast<double>(number(info, "MemTotal"))));
  line("Name", text(info, "Name"));
  line("ID", text(info, "ID"));
  line("Docker Root Dir", text(info, "DockerRootDir"));
  std::fflush(stdout);
  const auto warnings = info.find("Warnings");
  if (warnings != info.end() && warnings->is_array()) {
    for (const auto& warning : *warnings) {
      printError(warning.is_string() ? warning.get<std::string>() : warning.dump());
    }
  }
  return 0;
}

}  // namespace

void addVersion(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("version", "Show the version of client and daemon");
  auto options = std::make_shared<FormatOptions>();
  addFormat(*verb, *options);
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return showVersion(client, *options); };
  });
}

void addInfo(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("info", "Display system-wide information");
  auto options = std::make_shared<FormatOptions>();
  addFormat(*verb, *options);
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return showInfo(client, *options); };
  });
}

}  // namespace flotilla::cli
