#include "engine/network/network_documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/os/rfc3339.h"

namespace flotilla::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;  // members in dockerd's order

OrderedJson ipamOf(const NetworkRecord& record) {
  OrderedJson config = nullptr;
  if (record.gateway) {
    config = OrderedJson::array({{{"Subnet", record.gateway->network().text()},
                                  {"Gateway", record.gateway->address.text()}}});
  }
  return {{"Driver", "default"}, {"Options", nullptr}, {"Config", config}};
}

OrderedJson optionsOf(const NetworkRecord& record, const BridgeOptions& bridge) {
  if (record.driver != "bridge") {
    return OrderedJson::object();
  }
  return {{"com.docker.network.bridge.default_bridge", "true"},
          {"com.docker.network.bridge.enable_icc", "true"},
          {"com.docker.network.bridge.enable_ip_masquerade", "true"},
          {"com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"},
          {"com.docker.network.bridge.name", bridge.name},
          {"com.docker.network.driver.mtu", std::to_string(bridge.mtu)}};
}

OrderedJson containersOf(const NetworkRecord& record, const std::vector<RunningEndpoint>& running) {
  OrderedJson containers = OrderedJson::object();
  for (const auto& [id, name, endpoint] : running) {
    if (endpoint.network_id != record.id) {
      continue;
    }
    const auto address = endpoint.ipv4_address.empty()
                             ? std::string{}
                             : endpoint.ipv4_address + "/" + std::to_string(endpoint.prefix_length);
    containers[id] = {{"Name", name},
                      {"EndpointID", endpoint.endpoint_id},
                      {"MacAddress", endpoint.mac_address},
                      {"IPv4Address", address},
                      {"IPv6Address", ""}};
  }
  return containers;
}

OrderedJson documentOf(const NetworkRecord& record, const BridgeOptions& bridge,
                       const std::vector<RunningEndpoint>& running) {
  return {{"Name", record.name},
          {"Id", record.id},
          {"Created", rfc3339(record.created_ns)},
          {"Scope", "local"},
          {"Driver", record.driver},
          {"EnableIPv4", true},
          {"EnableIPv6", false},
          {"IPAM", ipamOf(record)},
          {"Internal", false},
          {"Attachable", false},
          {"Ingress", false},
          {"ConfigFrom", {{"Network", ""}}},
          {"ConfigOnly", false},
          {"Containers", containersOf(record, running)},
          {"Options", optionsOf(record, bridge)},
          {"Labels", OrderedJson::object()}};
}

bool isTrue(std::string_view value) { return value == "true" || value == "1"; }
bool isFalse(std::string_view value) { return value == "false" || value == "0"; }

bool matchesOne(const NetworkRecord& record, std::string_view filter, const std::string& value) {
  if (filter == "driver") {
    return record.driver == value;
  }
  if (filter == "id") {
    return record.id.find(value) != std::string::npos;
  }
  if (filter == "name") {
    return record.name.find(value) != std::string::npos;
  }
  if (filter == "scope") {
    return value == "local";
  }
  if (filter == "type") {
    return value == "builtin";
  }
  if (filter == "dangling") {
    return isFalse(value);  // the networks every engine has never dangle
  }
  return false;  // label: they have none
}

}  // namespace

std::string networkDocument(const NetworkRecord& record, const BridgeOptions& bridge,
                            const std::vector<RunningEndpoint>& running) {
  return documentOf(record, bridge, running).dump();
}

std::string networkListDocument(const std::vector<NetworkRecord>& records,
                                const BridgeOptions& bridge) {
  OrderedJson list = OrderedJson::array();
  for (const auto& record : records) {
    list.push_back(documentOf(record, bridge, {}));
  }
  return list.dump();
}

Result<void> checkNetworkFilters(const NetworkFilters& filters) {
  static constexpr std::string_view kKnown[] = {"dangling", "driver", "id",  "label",
                                                "name",     "scope",  "type"};
  for (const auto& [name, values] : filters) {
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return Error{ErrorKind::InvalidArgument, "invalid filter '" + name + "'"};
    }
    for (const auto& value : values) {
      if (name == "type" && value != "builtin" && value != "custom") {
        return Error{ErrorKind::Internal, "invalid filter: 'type'='" + value + "'"};
      }
      if (name == "dangling" && !isTrue(value) && !isFalse(value)) {
        return Error{
            ErrorKind::InvalidArgument,
            R"(invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0"))"};
      }
    }
  }
  return {};
}

bool matchesNetworkFilters(const NetworkRecord& record, const NetworkFilters& filters) {
  return std::all_of(filters.begin(), filters.end(), [&](const auto& filter) {
    const auto& [name, values] = filter;
    return values.empty() ||
           std::any_of(values.begin(), values.end(), [&, &key = name](const std::string& value) {
             return matchesOne(record, key, value);
           });
  });
}

}  // namespace flotilla::engine
