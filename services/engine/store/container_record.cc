#include "engine/store/container_record.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<ContainerStatus, std::string_view>, 7> kStatusNames = {{
    {ContainerStatus::Created, "created"},
    {ContainerStatus::Running, "running"},
    {ContainerStatus::Paused, "paused"},
    {ContainerStatus::Restarting, "restarting"},
    {ContainerStatus::Removing, "removing"},
    {ContainerStatus::Exited, "exited"},
    {ContainerStatus::Dead, "dead"},
}};

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

json encodeMount(const MountPoint& mount) {
  return {{"type", mount.type},
          {"name", mount.name},
          {"source", mount.source},
          {"destination", mount.destination},
          {"driver", mount.driver},
          {"mode", mount.mode},
          {"propagation", mount.propagation},
          {"writable", mount.writable},
          {"make_source", mount.make_source},
          {"copy_up", mount.copy_up},
          {"anonymous", mount.anonymous},
          {"options", mount.options}};
}

// The document is one we wrote: its members have the types of encodeMount.
MountPoint decodeMount(const json& from) {
  MountPoint mount;
  mount.type = from.value("type", "");
  mount.name = from.value("name", "");
  mount.source = from.value("source", "");
  mount.destination = from.value("destination", "");
  mount.driver = from.value("driver", "");
  mount.mode = from.value("mode", "");
  mount.propagation = from.value("propagation", "");
  mount.writable = from.value("writable", true);
  mount.make_source = from.value("make_source", false);
  mount.copy_up = from.value("copy_up", false);
  mount.anonymous = from.value("anonymous", false);
  mount.options = from.value("options", std::vector<std::string>{});
  return mount;
}

json encodeEndpointConfig(const model::EndpointConfig& endpoint) {
  return {{"mac", endpoint.mac_address},
          {"ipv4", endpoint.ipv4_address},
          {"aliases", endpoint.aliases},
          {"links", endpoint.links}};
}

model::EndpointConfig decodeEndpointConfig(const json& from) {
  model::EndpointConfig endpoint;
  endpoint.mac_address = from.value("mac", "");
  endpoint.ipv4_address = from.value("ipv4", "");
  endpoint.aliases = from.value("aliases", std::vector<std::string>{});
  endpoint.links = from.value("links", std::vector<std::string>{});
  return endpoint;
}

}  // namespace

std::string_view statusName(ContainerStatus status) {
  for (const auto& [value, name] : kStatusNames) {
    if (value == status) {
      return name;
    }
  }
  return "dead";
}

ContainerStatus statusFromName(std::string_view name) {
  for (const auto& [value, known] : kStatusNames) {
    if (known == name) {
      return value;
    }
  }
  return ContainerStatus::Dead;
}

std::string encodeSpec(const ContainerSpec& spec) {
  json mounts = json::array();
  for (const auto& mount : spec.mounts) {
    mounts.push_back(encodeMount(mount));
  }
  json endpoints = json::object();
  for (const auto& [network, endpoint] : spec.endpoints) {
    endpoints[network] = encodeEndpointConfig(endpoint);
  }
  return dump({{"image", spec.image},
               {"image_id", spec.image_id},
               {"chain_ids", spec.chain_ids},
               {"path", spec.path},
               {"args", spec.args},
               {"config", model::encodeConfig(spec.config)},
               {"host", model::encodeHostConfig(spec.host)},
               {"mounts", std::move(mounts)},
               {"endpoints", std::move(endpoints)}});
}

Result<ContainerSpec> decodeSpec(const std::string& text) {
  const json from = json::parse(text, nullptr, false);
  if (!from.is_object()) {
    return Error{ErrorKind::Internal, "stored container is not a JSON object"};
  }
  ContainerSpec spec;
  spec.image = from.value("image", "");
  spec.image_id = from.value("image_id", "");
  spec.chain_ids = from.value("chain_ids", std::vector<std::string>{});
  spec.path = from.value("path", "");
  spec.args = from.value("args", std::vector<std::string>{});
  FLO_TRY_ASSIGN(spec.config, model::parseConfig(from.value("config", "{}")));
  FLO_TRY_ASSIGN(spec.host, model::parseHostConfig(from.value("host", "{}")));
  for (const json& mount : from.value("mounts", json::array())) {
    spec.mounts.push_back(decodeMount(mount));
  }
  const json endpoints = from.value("endpoints", json::object());
  for (const auto& [network, endpoint] : endpoints.items()) {
    spec.endpoints.emplace(network, decodeEndpointConfig(endpoint));
  }
  return spec;
}

std::string encodeEndpoint(const Endpoint& endpoint) {
  if (endpoint == Endpoint{}) {
    return "";  // of whatever does not run: most rows
  }
  json ports = json::array();
  for (const auto& port : endpoint.ports) {
    ports.push_back({port.protocol, port.container_port, port.host_ip, port.host_port});
  }
  return dump({{"network", endpoint.network},
               {"network_id", endpoint.network_id},
               {"endpoint_id", endpoint.endpoint_id},
               {"sandbox_id", endpoint.sandbox_id},
               {"sandbox_key", endpoint.sandbox_key},
               {"ipv4", endpoint.ipv4_address},
               {"gateway", endpoint.gateway},
               {"mac", endpoint.mac_address},
               {"prefix", endpoint.prefix_length},
               {"ports", std::move(ports)}});
}

Endpoint decodeEndpoint(const std::string& text) {
  Endpoint endpoint;
  if (text.empty()) {
    return endpoint;
  }
  const json from = json::parse(text, nullptr, false);
  if (!from.is_object()) {
    return endpoint;
  }
  endpoint.network = from.value("network", "");
  endpoint.network_id = from.value("network_id", "");
  endpoint.endpoint_id = from.value("endpoint_id", "");
  endpoint.sandbox_id = from.value("sandbox_id", "");
  endpoint.sandbox_key = from.value("sandbox_key", "");
  endpoint.ipv4_address = from.value("ipv4", "");
  endpoint.gateway = from.value("gateway", "");
  endpoint.mac_address = from.value("mac", "");
  endpoint.prefix_length = from.value("prefix", 0);
  for (const json& port : from.value("ports", json::array())) {
    endpoint.ports.push_back({port[0].get<std::string>(), port[1].get<std::uint16_t>(),
                              port[2].get<std::string>(), port[3].get<std::uint16_t>()});
  }
  return endpoint;
}

}  // namespace flotilla::engine
