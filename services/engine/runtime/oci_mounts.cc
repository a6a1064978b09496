#include "engine/runtime/oci_mounts.h"

#include <algorithm>
#include <set>

#include "common/model/namespace_mode.h"
#include "common/model/security_options.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

json mountOf(const std::string& destination, const std::string& type, const std::string& source,
             std::vector<std::string> options) {
  return {{"destination", destination},
          {"type", type},
          {"source", source},
          {"options", std::move(options)}};
}

void removeOption(std::vector<std::string>& options, const std::string& option) {
  options.erase(std::remove(options.begin(), options.end(), option), options.end());
}

/// What a later option takes back: "exec" a default "noexec", "ro" an earlier "rw"...
std::string opposite(const std::string& option) {
  if (option == "rw" || option == "ro") {
    return option == "rw" ? "ro" : "rw";
  }
  for (const char* flag : {"exec", "suid", "dev", "atime", "diratime"}) {
    if (option == flag) {
      return std::string("no") + flag;
    }
    if (option == std::string("no") + flag) {
      return flag;
    }
  }
  return {};
}

std::vector<std::string> tmpfsOptions(const SpecMount& mount) {
  std::vector<std::string> options = {"noexec", "nosuid", "nodev", "rprivate"};
  for (const std::string& option : mount.options) {
    if (option == "defaults") {
      continue;
    }
    removeOption(options, opposite(option));
    removeOption(options, option);
    options.push_back(option);
  }
  if (mount.read_only) {
    options.emplace_back("ro");
  }
  return options;
}

json userMount(const SpecMount& mount) {
  if (mount.kind == SpecMount::Kind::Tmpfs) {
    return mountOf(mount.destination, "tmpfs", "tmpfs", tmpfsOptions(mount));
  }
  std::vector<std::string> options = {"rbind"};
  if (mount.read_only) {
    options.emplace_back("rro");  // read-only for whatever is mounted below, too
  }
  options.push_back(mount.propagation.empty() ? "rprivate" : mount.propagation);
  return mountOf(mount.destination, "bind", mount.source, options);
}

json shmMount(const SpecInput& input) {
  const model::NamespaceMode ipc = model::NamespaceMode::parse(input.host->ipc_mode);
  if (ipc.kind == model::NamespaceMode::Kind::None) {
    return nullptr;
  }
  if (ipc.isHost() || !input.shm_path.empty()) {
    return mountOf("/dev/shm", "bind", ipc.isHost() ? "/dev/shm" : input.shm_path,
                   {"rbind", "rprivate"});
  }
  return mountOf(
      "/dev/shm", "tmpfs", "shm",
      {"nosuid", "noexec", "nodev", "mode=1777", "size=" + std::to_string(input.host->shm_size)});
}

json defaultMounts(const SpecInput& input) {
  const auto security = model::SecurityOptions::parse(input.host->security_opt);
  const bool writable_cgroups = security && security->writable_cgroups;
  json mounts = json::array(
      {mountOf("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
       mountOf("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
       mountOf("/dev/pts", "devpts", "devpts",
               {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
       mountOf("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev"}),
       mountOf("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev"}),
       mountOf("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"})});
  if (!input.host->privileged) {
    mounts[3]["options"].push_back("ro");
    if (!writable_cgroups) {
      json& options = mounts[4]["options"];
      options.insert(options.begin(), "ro");
    }
  }
  if (json shm = shmMount(input); !shm.is_null()) {
    mounts.push_back(std::move(shm));
  }
  return mounts;
}

bool coveredBy(const std::string& destination, const std::set<std::string>& user) {
  return user.contains(destination) || (destination.starts_with("/dev/") && user.contains("/dev"));
}

}  // namespace

std::string rootPropagation(const std::vector<SpecMount>& mounts) {
  std::string propagation;
  for (const SpecMount& mount : mounts) {
    if (mount.propagation == "shared" || mount.propagation == "rshared") {
      return "shared";
    }
    if (mount.propagation == "slave" || mount.propagation == "rslave") {
      propagation = "rslave";
    }
  }
  return propagation;
}

json ociMounts(const SpecInput& input) {
  std::vector<SpecMount> user = input.mounts;
  std::set<std::string> destinations;
  for (const SpecMount& mount : user) {
    destinations.insert(mount.destination);
  }
  const std::pair<const char*, const std::string&> files[] = {
      {"/etc/resolv.conf", input.resolv_path},
      {"/etc/hostname", input.hostname_path},
      {"/etc/hosts", input.hosts_path}};
  for (const auto& [destination, source] : files) {
    if (!source.empty() && !destinations.contains(destination)) {
      user.push_back(
          {SpecMount::Kind::Bind, source, destination, input.host->read_only_rootfs, "", {}});
    }
  }
  std::stable_sort(user.begin(), user.end(), [](const SpecMount& a, const SpecMount& b) {
    return std::count(a.destination.begin(), a.destination.end(), '/') <
           std::count(b.destination.begin(), b.destination.end(), '/');
  });
  json mounts = json::array();
  for (json& mount : defaultMounts(input)) {
    if (!coveredBy(mount["destination"], destinations)) {
      mounts.push_back(std::move(mount));
    }
  }
  if (!input.init_path.empty()) {
    mounts.push_back(mountOf("/sbin/docker-init", "bind", input.init_path, {"bind", "ro"}));
  }
  for (const SpecMount& mount : user) {
    mounts.push_back(userMount(mount));
  }
  return mounts;
}

}  // namespace flotilla::engine
