// flotilla stop, flotilla rm.
#include "cli/commands/command.h"
#include "common/http/percent.h"

namespace flotilla::cli {
namespace {

struct StopOptions {
  std::vector<std::string> containers;
  std::string timeout;
  std::string signal;
};

struct RemoveOptions {
  std::vector<std::string> containers;
  bool force = false;
  bool volumes = false;
};

Result<void> stopOne(ApiClient& client, const StopOptions& options, const std::string& name) {
  const auto stopped = client.post(withQuery("/containers/" + http::percentEncode(name) + "/stop",
                                             {{"t", options.timeout}, {"signal", options.signal}}));
  if (!stopped && stopped.error().kind() != ErrorKind::NotModified) {
    return stopped.error();
  }
  return {};
}

Result<void> removeOne(ApiClient& client, const RemoveOptions& options, const std::string& name) {
  return client.remove(
      withQuery("/containers/" + http::percentEncode(name),
                {{"force", options.force ? "1" : ""}, {"v", options.volumes ? "1" : ""}}));
}

}  // namespace

void addStop(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("stop", "Stop one or more running containers");
  auto options = std::make_shared<StopOptions>();
  verb->add_option("-t,--timeout,--time", options->timeout,
                   "Seconds to wait before killing the container");
  verb->add_option("-s,--signal", options->signal, "Signal to send to the container");
  verb->add_option("CONTAINER", options->containers)->required();
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) -> Result<int> {
      return forEachName(options->containers,
                         [&](const std::string& name) { return stopOne(client, *options, name); });
    };
  });
}

void addRm(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("rm", "Remove one or more containers");
  auto options = std::make_shared<RemoveOptions>();
  verb->add_flag("-f,--force", options->force,
                 "Force the removal of a running container (uses SIGKILL)");
  verb->add_flag("-v,--volumes", options->volumes,
                 "Remove anonymous volumes associated with the container");
  verb->add_option("CONTAINER", options->containers)->required();
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) -> Result<int> {
      return forEachName(options->containers, [&](const std::string& name) {
        return removeOne(client, *options, name);
      });
    };
  });
}

}  // namespace flotilla::cli
