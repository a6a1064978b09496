#include <algorithm>
#include <set>

#include "engine/lifecycle/creator.h"

namespace flotilla::engine {
namespace {

std::string_view nameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

void unite(std::vector<std::string>& into, const std::vector<std::string>& more) {
  std::set<std::string> all(into.begin(), into.end());
  all.insert(more.begin(), more.end());
  into.assign(all.begin(), all.end());
}

void mergeEnvironment(model::ContainerConfig& config, const ImageConfig& image) {
  // The request's come first, then what only the image has: dockerd's order.
  for (const std::string& variable : image.env) {
    const bool set = std::any_of(config.env.begin(), config.env.end(), [&](const std::string& own) {
      return nameOf(own) == nameOf(variable);
    });
    if (!set) {
      config.env.push_back(variable);
    }
  }
}

void mergeCommand(model::ContainerConfig& config, const ImageConfig& image) {
  const bool has_entrypoint = config.entrypoint && !config.entrypoint->empty();
  const bool has_command = config.cmd && !config.cmd->empty();
  if (!has_entrypoint) {
    // [""] is the client's way to say "no entrypoint, not even the image's".
    if (!has_command && !(config.entrypoint && config.entrypoint->size() == 1)) {
      if (!image.cmd.empty()) {
        config.cmd = image.cmd;
      }
    }
    if (!image.entrypoint.empty() && !config.entrypoint) {
      config.entrypoint = image.entrypoint;
    }
  }
  if (config.entrypoint && config.entrypoint->size() == 1 && config.entrypoint->front().empty()) {
    config.entrypoint.reset();
  }
}

}  // namespace

void mergeImageConfig(model::ContainerConfig& config, const ImageConfig& image) {
  if (config.user.empty()) {
    config.user = image.user;
  }
  unite(config.exposed_ports, image.exposed_ports);
  unite(config.volumes, image.volumes);
  mergeEnvironment(config, image);
  for (const auto& [key, value] : image.labels) {
    config.labels.try_emplace(key, value);
  }
  mergeCommand(config, image);
  if (config.working_dir.empty()) {
    config.working_dir = image.working_dir;
  }
  if (config.stop_signal.empty()) {
    config.stop_signal = image.stop_signal;
  }
}

}  // namespace flotilla::engine
