// flotilla ps: the list of containers.
#include <ctime>

#include "cli/commands/command.h"
#include "cli/format/table.h"
#include "cli/format/units.h"

namespace flotilla::cli {
namespace {

struct PsOptions {
  bool all = false;
  bool quiet = false;
  bool no_trunc = false;
  bool latest = false;
  bool size = false;
  int last = -1;
  std::vector<std::string> filters;
  std::string format;
};

std::string portText(const nlohmann::json& port) {
  const std::string container =
      std::to_string(number(port, "PrivatePort")) + "/" + text(port, "Type");
  if (number(port, "PublicPort") == 0) {
    return container;
  }
  const std::string ip = text(port, "IP");
  const std::string host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  return host + ":" + std::to_string(number(port, "PublicPort")) + "->" + container;
}

std::string portsText(const nlohmann::json& container) {
  std::string out;
  for (const auto& port : container.value("Ports", nlohmann::json::array())) {
    out += (out.empty() ? "" : ", ") + portText(port);
  }
  return out;
}

std::string namesText(const nlohmann::json& container) {
  std::string out;
  for (const auto& name : container.value("Names", nlohmann::json::array())) {
    if (name.is_string()) {
      std::string plain = name.get<std::string>();
      out += (out.empty() ? "" : ",") + (plain.starts_with('/') ? plain.substr(1) : plain);
    }
  }
  return out;
}

std::vector<std::string> rowOf(const nlohmann::json& container, const PsOptions& options,
                               std::int64_t now) {
  constexpr std::size_t kShortId = 12;
  constexpr std::size_t kShortCommand = 20;
  const std::string id = text(container, "Id");
  const std::string command = text(container, "Command");
  std::vector<std::string> row{
      options.no_trunc ? id : id.substr(0, kShortId),
      text(container, "Image"),
      "\"" + (options.no_trunc ? command : shortened(command, kShortCommand)) + "\"",
      humanDuration(now - number(container, "Created")) + " ago",
      text(container, "Status"),
      portsText(container),
      namesText(container)};
  if (options.size) {
    const auto own = static_cast<double>(number(container, "SizeRw"));
    const auto whole = static_cast<double>(number(container, "SizeRootFs"));
    row.push_back(humanSize(own) + " (virtual " + humanSize(whole) + ")");
  }
  return row;
}

Result<int> listContainers(ApiClient& client, const PsOptions& options) {
  FLO_TRY_ASSIGN(const auto filters, filtersJson(options.filters));
  const int limit = options.latest ? 1 : options.last;
  FLO_TRY_ASSIGN(
      const auto list,
      client.get(withQuery("/containers/json", {{"all", options.all || limit > 0 ? "1" : ""},
                                                {"limit", limit > 0 ? std::to_string(limit) : ""},
                                                {"size", options.size ? "1" : ""},
                                                {"filters", filters}})));
  std::vector<std::string> heading{"CONTAINER ID", "IMAGE", "COMMAND", "CREATED",
                                   "STATUS",       "PORTS", "NAMES"};
  if (options.size) {
    heading.emplace_back("SIZE");
  }
  Table table(std::move(heading));
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  for (const auto& container : list) {
    auto row = rowOf(container, options, now);
    if (options.quiet) {
      std::printf("%s\n", row.front().c_str());
    } else if (options.format == "json") {
      std::printf("%s\n", container.dump().c_str());
    }
    table.add(std::move(row));
  }
  if (!options.quiet && options.format != "json") {
    std::fputs(table.text().c_str(), stdout);
  }
  return 0;
}

}  // namespace

void addPs(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("ps", "List containers");
  auto options = std::make_shared<PsOptions>();
  verb->add_flag("-a,--all", options->all, "Show all containers (default shows just running)");
  verb->add_flag("-q,--quiet", options->quiet, "Only display container IDs");
  verb->add_flag("--no-trunc", options->no_trunc, "Don't truncate output");
  verb->add_flag("-l,--latest", options->latest,
                 "Show the latest created container (includes all states)");
  verb->add_flag("-s,--size", options->size, "Display total file sizes");
  verb->add_option("-n,--last", options->last,
                   "Show n last created containers (includes all states)");
  verb->add_option("-f,--filter", options->filters, "Filter output, name=value")
      ->allow_extra_args(false);
  verb->add_option("--format", options->format, "json: one object a line")
      ->check(CLI::IsMember({"json"}));
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return listContainers(client, *options); };
  });
}

}  // namespace flotilla::cli
