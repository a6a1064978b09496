#include "engine/jobs/event_filter.h"

#include <algorithm>

#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

std::string attribute(const Event& event, const std::string& name) {
  const auto found = event.attributes.find(name);
  return found == event.attributes.end() ? "" : found->second;
}

/// "exec_start" means "exec_start: sh -c ..." too.
bool matchesAction(const Event& event, const std::string& wanted) {
  if (event.action == wanted) {
    return true;
  }
  return (wanted.starts_with("exec_") || wanted.starts_with("health_status")) &&
         event.action.starts_with(wanted);
}

std::string withoutTag(const std::string& reference) {
  const auto colon = reference.rfind(':');
  const auto slash = reference.rfind('/');
  return colon == std::string::npos || (slash != std::string::npos && slash > colon)
             ? reference
             : reference.substr(0, colon);
}

bool matchesImage(const Event& event, const std::string& wanted) {
  const std::string name = attribute(event, event.type == "container" ? "image" : "name");
  return event.actor_id == wanted || name == wanted || withoutTag(name) == wanted;
}

bool matchesValue(const std::string& filter, const std::string& wanted, const Event& event) {
  if (filter == "event") {
    return matchesAction(event, wanted);
  }
  if (filter == "type") {
    return event.type == wanted;
  }
  if (filter == "scope") {
    return wanted == "local";
  }
  if (filter == "image") {
    return matchesImage(event, wanted);
  }
  if (filter == "container" || filter == "volume" || filter == "network" || filter == "daemon") {
    return event.actor_id.starts_with(wanted) || attribute(event, "name").starts_with(wanted);
  }
  return true;
}

}  // namespace

Result<EventFilter> EventFilter::parse(std::string_view text) {
  EventFilter filter;
  FLO_TRY_ASSIGN(filter.filters_, model::parseListFilters(text));
  return filter;
}

bool EventFilter::matches(const Event& event) const {
  return std::all_of(filters_.begin(), filters_.end(), [&](const auto& filter) {
    const auto& [name, values] = filter;
    if (name == "label") {
      return std::all_of(values.begin(), values.end(), [&](const std::string& value) {
        return model::matchesLabel(event.attributes, value);
      });
    }
    return values.empty() ||
           std::any_of(values.begin(), values.end(),
                       [&](const std::string& value) { return matchesValue(name, value, event); });
  });
}

std::string eventJson(const Event& event) {
  JsonWriter out;
  out.beginObject();
  if (event.type == "container" || event.type == "image") {
    out.member("status", event.action).member("id", event.actor_id);
    if (const auto from = attribute(event, "image"); event.type == "container" && !from.empty()) {
      out.member("from", from);
    }
  }
  out.member("Type", event.type).member("Action", event.action).key("Actor").beginObject();
  out.member("ID", event.actor_id).mapMember("Attributes", event.attributes).endObject();
  out.member("scope", "local")
      .member("time", event.time_ns / kSecond)
      .member("timeNano", event.time_ns)
      .endObject();
  return out.take() + "\n";
}

}  // namespace flotilla::engine
