#pragma once

#include "engine/jobs/json_writer.h"
#include "engine/store/container_record.h"

/// Parts of a container's documents, member for member as dockerd 28.5 writes them.
namespace flotilla::engine {

void writeConfig(JsonWriter& out, const ContainerSpec& spec);
void writeHostConfig(JsonWriter& out, const ContainerSpec& spec);
/// The object of "Networks".
void writeNetworks(JsonWriter& out, const ContainerRecord& record);
/// inspect's whole "NetworkSettings".
void writeNetworkSettings(JsonWriter& out, const ContainerRecord& record);
enum class MountDetail { Inspect, List };
void writeMounts(JsonWriter& out, const ContainerSpec& spec, MountDetail detail);

}  // namespace flotilla::engine
