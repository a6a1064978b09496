#include "engine/shim/protocol.h"

#include <nlohmann/json.hpp>

namespace flotilla::engine::shim {
namespace {

using nlohmann::json;

template <class T>
bool take(const json& object, const char* key, T& out) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return true;
  }
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) {
      return false;
    }
    out = found->get_ref<const std::string&>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!found->is_boolean()) {
      return false;
    }
    out = found->get<bool>();
  } else {
    if (!found->is_number_integer()) {
      return false;
    }
    out = found->get<T>();
  }
  return true;
}

json object(const json& parent, const char* key) {
  const auto found = parent.find(key);
  return found != parent.end() && found->is_object() ? *found : json::object();
}

bool takeOverlay(const json& from, OverlayConfig& out) {
  const auto lower = from.find("lower");
  if (lower != from.end()) {
    if (!lower->is_array()) {
      return false;
    }
    for (const json& name : *lower) {
      if (!name.is_string()) {
        return false;
      }
      out.lower.push_back(name.get<std::string>());
    }
  }
  return take(from, "link_dir", out.link_dir) && take(from, "upper", out.upper) &&
         take(from, "work", out.work) && take(from, "merged", out.merged);
}

bool takeBinds(const json& from, std::vector<BindMount>& out) {
  const auto binds = from.find("binds");
  if (binds == from.end()) {
    return true;
  }
  if (!binds->is_array()) {
    return false;
  }
  for (const json& entry : *binds) {
    BindMount& bind = out.emplace_back();
    if (!entry.is_object() || !take(entry, "source", bind.source) ||
        !take(entry, "shared", bind.shared) || !take(entry, "is_directory", bind.is_directory)) {
      return false;
    }
  }
  return true;
}

bool takeLog(const json& from, LogConfig& out) {
  return take(from, "path", out.path) && take(from, "max_size", out.max_size) &&
         take(from, "max_files", out.max_files) && take(from, "non_blocking", out.non_blocking);
}

bool takeScalars(const json& from, LaunchSpec& out) {
  return take(from, "container_id", out.container_id) && take(from, "bundle", out.bundle) &&
         take(from, "journal", out.journal) && take(from, "runtime", out.runtime) &&
         take(from, "runtime_root", out.runtime_root) &&
         take(from, "cgroup_path", out.cgroup_path) && take(from, "port_fds", out.port_fds) &&
         take(from, "has_netns", out.has_netns) && take(from, "tty", out.tty) &&
         take(from, "open_stdin", out.open_stdin) && take(from, "stdin_once", out.stdin_once) &&
         take(from, "init", out.init) && take(from, "height", out.height) &&
         take(from, "width", out.width) && take(from, "oom_score_adj", out.oom_score_adj) &&
         take(from, "first_seq", out.first_seq) && take(from, "run", out.run);
}

}  // namespace

std::string encode(const LaunchSpec& spec) {
  json binds = json::array();
  for (const BindMount& bind : spec.binds) {
    binds.push_back(
        {{"source", bind.source}, {"shared", bind.shared}, {"is_directory", bind.is_directory}});
  }
  const json out = {
      {"container_id", spec.container_id},
      {"bundle", spec.bundle},
      {"journal", spec.journal},
      {"runtime", spec.runtime},
      {"runtime_root", spec.runtime_root},
      {"cgroup_path", spec.cgroup_path},
      {"overlay",
       {{"link_dir", spec.overlay.link_dir},
        {"lower", spec.overlay.lower},
        {"upper", spec.overlay.upper},
        {"work", spec.overlay.work},
        {"merged", spec.overlay.merged}}},
      {"binds", std::move(binds)},
      {"port_fds", spec.port_fds},
      {"has_netns", spec.has_netns},
      {"tty", spec.tty},
      {"open_stdin", spec.open_stdin},
      {"stdin_once", spec.stdin_once},
      {"init", spec.init},
      {"height", spec.height},
      {"width", spec.width},
      {"log",
       {{"path", spec.log.path},
        {"max_size", spec.log.max_size},
        {"max_files", spec.log.max_files},
        {"non_blocking", spec.log.non_blocking}}},
      {"restart", {{"name", spec.restart.name}, {"max_retries", spec.restart.max_retries}}},
      {"oom_score_adj", spec.oom_score_adj},
      {"first_seq", spec.first_seq},
      {"run", spec.run},
  };
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool decode(const std::string& text, LaunchSpec& spec) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object()) {
    return false;
  }
  spec = LaunchSpec{};
  const json restart = object(in, "restart");
  return takeScalars(in, spec) && takeOverlay(object(in, "overlay"), spec.overlay) &&
         takeBinds(in, spec.binds) && takeLog(object(in, "log"), spec.log) &&
         take(restart, "name", spec.restart.name) &&
         take(restart, "max_retries", spec.restart.max_retries) && !spec.container_id.empty() &&
         !spec.bundle.empty() && !spec.journal.empty() && !spec.runtime.empty();
}

}  // namespace flotilla::engine::shim
