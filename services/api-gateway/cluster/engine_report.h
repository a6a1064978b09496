#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/json/json.h"

namespace flotilla::gateway {

/// A port of the host that a container takes, or a range of which it takes one.
struct HostPort {
  std::string ip;  // "" = every address
  int first = 0, last = 0;
  std::string protocol;
};

/// What the cluster keeps of one container.
struct ContainerRow {
  std::string id, name;
  std::string image, image_id;
  std::string state;  // Docker's word: "running"
  std::string network_mode;
  std::int64_t created_ns = 0;
  std::int64_t nano_cpus = 0, memory = 0;  // asked for; 0 = nothing
  std::map<std::string, std::string> labels;
  std::vector<HostPort> ports;
  std::vector<std::string> exposed_ports;
  std::string summary;  // element of the container list as the engine wrote it; "" = not known yet
};

/// What the cluster keeps of one engine beside its containers.
struct HostFacts {
  std::string engine_id, name, version;
  std::int64_t cpus = 0, memory = 0;
  std::int64_t containers = 0, running = 0, paused = 0, stopped = 0, images = 0;
  std::map<std::string, std::string> labels;
  json::Json info;  // the whole document
};

/// Result of job engine_report.
struct EngineReport {
  std::string mark;
  std::optional<HostFacts> facts;
  std::optional<std::vector<ContainerRow>> containers;
};

/// Errors: Internal for what is no report.
Result<EngineReport> parseEngineReport(std::string_view body);

/// The ports a create request's or a report's bindings ask for: `port` is "8080" or "8000-8010",
/// `container` "80/tcp". Nothing for ports left to chance.
std::optional<HostPort> parseHostPort(std::string ip, std::string_view port,
                                      std::string_view container);

}  // namespace flotilla::gateway
