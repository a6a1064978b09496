// flotilla logs: what a container wrote.
#include <unistd.h>

#include <ctime>
#include <optional>

#include "cli/client/demultiplexer.h"
#include "cli/client/stream_pump.h"
#include "cli/commands/command.h"
#include "cli/format/units.h"
#include "common/http/percent.h"

namespace flotilla::cli {
namespace {

struct LogsOptions {
  std::string container;
  bool follow = false;
  bool timestamps = false;
  bool details = false;
  std::string tail = "all";
  std::string since;
  std::string until;
};

Result<int> showLogs(ApiClient& client, const LogsOptions& options) {
  FLO_TRY_ASSIGN(const auto container,
                 client.get("/containers/" + http::percentEncode(options.container) + "/json"));
  const bool tty = container.value(nlohmann::json::json_pointer("/Config/Tty"), false);
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  FLO_TRY_ASSIGN(const auto since, timeArgument("since", options.since, now));
  FLO_TRY_ASSIGN(const auto until, timeArgument("until", options.until, now));
  const auto target =
      withQuery("/containers/" + http::percentEncode(text(container, "Id")) + "/logs",
                {{"stdout", "1"},
                 {"stderr", "1"},
                 {"follow", options.follow ? "1" : ""},
                 {"timestamps", options.timestamps ? "1" : ""},
                 {"details", options.details ? "1" : ""},
                 {"tail", options.tail},
                 {"since", since},
                 {"until", until}});
  Demultiplexer demultiplexer([](Demultiplexer::Output output, std::string_view piece) {
    writeOut(output == Demultiplexer::Output::Stdout ? STDOUT_FILENO : STDERR_FILENO, piece);
  });
  std::optional<Error> failure;
  const auto take = [&](std::string_view piece) {
    if (tty) {
      writeOut(STDOUT_FILENO, piece);
      return true;
    }
    auto fed = demultiplexer.feed(piece);
    if (!fed) {
      failure = fed.error();
    }
    return fed.has_value();
  };
  FLO_TRY(client.getStream(target, take));
  if (failure) {
    return *failure;
  }
  return 0;
}

}  // namespace

void addLogs(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("logs", "Fetch the logs of a container");
  auto options = std::make_shared<LogsOptions>();
  verb->add_flag("-f,--follow", options->follow, "Follow log output");
  verb->add_flag("-t,--timestamps", options->timestamps, "Show timestamps");
  verb->add_flag("--details", options->details, "Show extra details provided to logs");
  verb->add_option("-n,--tail", options->tail,
                   "Number of lines to show from the end of the logs (default \"all\")");
  verb->add_option("--since", options->since,
                   "Show logs since a time (2013-01-02T13:23:37Z) or span (42m)");
  verb->add_option("--until", options->until,
                   "Show logs before a time (2013-01-02T13:23:37Z) or span (42m)");
  verb->add_option("CONTAINER", options->container)->required();
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return showLogs(client, *options); };
  });
}

}  // namespace flotilla::cli
