#pragma once

#include <map>
#include <string>

#include "engine/store/container_record.h"
#include "engine/store/event_log.h"

namespace flotilla::engine {

/// A container's event with the attributes dockerd gives it: labels, image, name and `more`.
Event containerEvent(const ContainerRecord& record, std::string action,
                     const std::map<std::string, std::string>& more = {}, std::int64_t time_ns = 0);

/// "connect" or "disconnect" of a network.
Event networkEvent(const ContainerRecord& record, const Endpoint& endpoint, std::string action,
                   std::int64_t time_ns = 0);

}  // namespace flotilla::engine
