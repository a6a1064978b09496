#include "engine/lifecycle/container_events.h"

#include <utility>

namespace flotilla::engine {

Event containerEvent(const ContainerRecord& record, std::string action,
                     const std::map<std::string, std::string>& more, std::int64_t time_ns) {
  Event event;
  event.type = "container";
  event.action = std::move(action);
  event.actor_id = record.id;
  event.attributes = record.spec->config.labels;
  event.attributes["image"] = record.spec->config.image;
  event.attributes["name"] = record.name;
  for (const auto& [key, value] : more) {
    event.attributes[key] = value;
  }
  event.time_ns = time_ns;
  return event;
}

Event networkEvent(const ContainerRecord& record, const Endpoint& endpoint, std::string action,
                   std::int64_t time_ns) {
  Event event;
  event.type = "network";
  event.action = std::move(action);
  event.actor_id = endpoint.network_id;
  const bool builtin = endpoint.network == "none" || endpoint.network == "host";
  event.attributes = {{"container", record.id},
                      {"name", endpoint.network},
                      {"type", endpoint.network == "none" ? "null"
                               : builtin                  ? endpoint.network
                                                          : "bridge"}};
  event.time_ns = time_ns;
  return event;
}

}  // namespace flotilla::engine
