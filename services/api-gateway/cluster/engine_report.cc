#include "api-gateway/cluster/engine_report.h"

#include <charconv>
#include <utility>

#include "api-gateway/cluster/json_fields.h"

namespace flotilla::gateway {
namespace {

using json::Json;

/// As swarm classic had it: facts of the host as labels, which labels of the engine do not replace.
std::map<std::string, std::string> hostLabels(const Json& info) {
  std::map<std::string, std::string> labels = {{"storagedriver", textOf(info, "Driver")},
                                               {"kernelversion", textOf(info, "KernelVersion")},
                                               {"operatingsystem", textOf(info, "OperatingSystem")},
                                               {"ostype", textOf(info, "OSType")}};
  for (const Json& label : memberOf(info, "Labels")) {
    const std::string pair = label.is_string() ? label.get<std::string>() : "";
    const auto equals = pair.find('=');
    if (equals != std::string::npos && pair.substr(0, equals) != "node") {
      labels.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }
  }
  return labels;
}

HostFacts parseFacts(const Json& info) {
  HostFacts facts;
  facts.engine_id = textOf(info, "ID");
  facts.name = textOf(info, "Name");
  facts.version = textOf(info, "ServerVersion");
  facts.cpus = numberOf(info, "NCPU");
  facts.memory = numberOf(info, "MemTotal");
  facts.containers = numberOf(info, "Containers");
  facts.running = numberOf(info, "ContainersRunning");
  facts.paused = numberOf(info, "ContainersPaused");
  facts.stopped = numberOf(info, "ContainersStopped");
  facts.images = numberOf(info, "Images");
  facts.labels = hostLabels(info);
  facts.info = info;
  return facts;
}

std::vector<HostPort> parsePorts(const Json& row) {
  std::vector<HostPort> ports;
  for (const Json& asked : memberOf(row, "HostPorts")) {
    if (auto port =
            parseHostPort(textOf(asked, "IP"), textOf(asked, "Port"), textOf(asked, "Container"))) {
      ports.push_back(*std::move(port));
    }
  }
  for (const Json& held : memberOf(memberOf(row, "Summary"), "Ports")) {
    const int port = static_cast<int>(numberOf(held, "PublicPort"));
    if (port > 0) {
      ports.push_back({textOf(held, "IP"), port, port, textOf(held, "Type")});
    }
  }
  return ports;
}

ContainerRow parseRow(const Json& item) {
  const Json& summary = memberOf(item, "Summary");
  ContainerRow row;
  row.id = textOf(summary, "Id");
  for (const Json& name : memberOf(summary, "Names")) {
    if (name.is_string() && row.name.empty()) {
      row.name = name.get<std::string>();
      row.name.erase(0, row.name.starts_with('/') ? 1 : 0);
    }
  }
  row.image = textOf(summary, "Image");
  row.image_id = textOf(summary, "ImageID");
  row.state = textOf(summary, "State");
  row.network_mode = textOf(item, "NetworkMode");
  row.created_ns = numberOf(item, "CreatedNs");
  row.nano_cpus = numberOf(item, "NanoCpus");
  row.memory = numberOf(item, "Memory");
  for (const auto& [key, value] : memberOf(summary, "Labels").items()) {
    row.labels[key] = value.is_string() ? value.get<std::string>() : "";
  }
  row.ports = parsePorts(item);
  for (const Json& port : memberOf(item, "ExposedPorts")) {
    if (port.is_string()) {
      row.exposed_ports.push_back(port.get<std::string>());
    }
  }
  row.summary = json::dump(summary);
  return row;
}

}  // namespace

std::optional<HostPort> parseHostPort(std::string ip, std::string_view port,
                                      std::string_view container) {
  const auto parse = [](std::string_view digits) {
    int value = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failed == std::errc{} && end == digits.data() + digits.size() ? value : 0;
  };
  const auto dash = port.find('-');
  const int first = parse(port.substr(0, dash));
  const int last = dash == std::string_view::npos ? first : parse(port.substr(dash + 1));
  if (first <= 0 || last < first) {
    return std::nullopt;
  }
  const auto slash = container.find('/');
  return HostPort{
      std::move(ip), first, last,
      slash == std::string_view::npos ? "tcp" : std::string(container.substr(slash + 1))};
}

Result<EngineReport> parseEngineReport(std::string_view body) {
  auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return Error{ErrorKind::Internal, "the engine's report cannot be read"};
  }
  EngineReport report;
  report.mark = textOf(*document, "Mark");
  if (const Json& info = memberOf(*document, "Info"); info.is_object()) {
    report.facts = parseFacts(info);
  }
  if (const Json& rows = memberOf(*document, "Containers"); rows.is_array()) {
    report.containers.emplace();
    for (const Json& row : rows) {
      report.containers->push_back(parseRow(row));
    }
  }
  return report;
}

}  // namespace flotilla::gateway
