#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api-gateway/cluster/engine_client.h"
#include "api-gateway/cluster/engine_report.h"

namespace flotilla::gateway {

enum class HostState {
  Pending,  // listed by discovery, not validated yet (or refused: see error)
  Healthy,
  Unhealthy,     // does not answer; its containers are shown as they were
  Disconnected,  // left discovery; kept only by what still uses it
};

/// "Healthy" and so on, as `docker info` shows them.
constexpr const char* stateName(HostState state) {
  switch (state) {
    case HostState::Pending:
      return "Pending";
    case HostState::Healthy:
      return "Healthy";
    case HostState::Unhealthy:
      return "Unhealthy";
    case HostState::Disconnected:
      return "Disconnected";
  }
  return "";
}

/// One host of the cluster. Written by Membership alone; on the reactor's thread.
struct Host {
  std::string address;  // "host:port", as discovery lists it
  HostState state = HostState::Pending;
  HostFacts facts;                       // of the last report; empty before the first
  std::string error;                     // what is wrong, "" when nothing is
  int failures = 0;                      // probes without an answer, since the last answer
  std::int64_t updated_s = 0;            // Unix time of the last report
  std::shared_ptr<EngineClient> engine;  // set from validation on

  [[nodiscard]] const std::string& name() const {
    return facts.name.empty() ? address : facts.name;
  }
  [[nodiscard]] bool healthy() const { return state == HostState::Healthy; }
  /// The address without its port and brackets.
  [[nodiscard]] std::string ip() const {
    std::string text = address.substr(0, address.rfind(':'));
    return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
  }
};

using HostPtr = std::shared_ptr<Host>;

}  // namespace flotilla::gateway
