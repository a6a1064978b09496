#include "engine/jobs/system_jobs.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "common/os/atomic_file.h"
#include "common/os/rfc3339.h"
#include "engine/jobs/json_writer.h"
#include "engine/jobs/report_job.h"

namespace flotilla::engine {
namespace {

constexpr const char* kApiVersion = "1.51";
constexpr const char* kMinApiVersion = "1.24";

utsname kernel() {
  utsname name{};
  ::uname(&name);
  return name;
}

std::string goArchitecture(const std::string& machine) {
  if (machine == "x86_64") {
    return "amd64";
  }
  return machine == "aarch64" ? "arm64" : machine;
}

std::string operatingSystem() {
  const auto text = readFile("/etc/os-release");
  std::istringstream lines(text ? *text : "");
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (line.starts_with(kKey)) {
      std::string name = line.substr(kKey.size());
      std::erase(name, '"');
      return name;
    }
  }
  return "Linux";
}

std::size_t openDescriptors() {
  std::error_code failed;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failed), end; at != end;
       at.increment(failed)) {
    ++count;
  }
  return count;
}

bool ipForwarding() {
  const auto text = readFile("/proc/sys/net/ipv4/ip_forward", 16);
  return text && text->starts_with('1');
}

struct Counts {
  int all = 0, running = 0, paused = 0, stopped = 0;
};

Result<Counts> countContainers(Lifecycle& lifecycle) {
  FLO_TRY_ASSIGN(const auto records, lifecycle.parts.catalog.list());
  Counts counts;
  for (const auto& record : records) {
    ++counts.all;
    if (record->state.status == ContainerStatus::Paused) {
      ++counts.paused;
    } else if (record->state.running()) {
      ++counts.running;
    } else {
      ++counts.stopped;
    }
  }
  return counts;
}

void writePlugins(JsonWriter& out) {
  out.key("Plugins")
      .beginObject()
      .member("Volume", std::vector<std::string>{"local"})
      .member("Network", std::vector<std::string>{"bridge", "host", "null"})
      .nullMember("Authorization")
      .member("Log", std::vector<std::string>{"json-file", "none"})
      .endObject();
}

void writeDriver(JsonWriter& out) {
  out.member("Driver", "overlay2").key("DriverStatus").beginArray();
  out.value(std::vector<std::string>{"Supports d_type", "true"});
  out.value(std::vector<std::string>{"Using metacopy", "false"});
  out.value(std::vector<std::string>{"Native Overlay Diff", "true"});
  out.value(std::vector<std::string>{"userxattr", "false"});
  out.endArray();
}

void writeLimits(JsonWriter& out, bool cgroup_v2) {
  out.member("MemoryLimit", true).member("SwapLimit", true);
  if (!cgroup_v2) {
    out.member("KernelMemoryTCP", true);
  }
  out.member("CpuCfsPeriod", true)
      .member("CpuCfsQuota", true)
      .member("CPUShares", true)
      .member("CPUSet", true)
      .member("PidsLimit", true)
      .member("IPv4Forwarding", ipForwarding())
      .member("Debug", false)
      .member("NFd", static_cast<std::int64_t>(openDescriptors()))
      .member("OomKillDisable", !cgroup_v2);
}

void writeRegistry(JsonWriter& out) {
  out.member("IndexServerAddress", "https://index.docker.io/v1/");
  out.key("RegistryConfig")
      .raw(
          R"({"IndexConfigs":{"docker.io":{"Mirrors":[],"Name":"docker.io","Official":true,"Secure":true}},)"
          R"("InsecureRegistryCIDRs":["::1/128","127.0.0.0/8"],"Mirrors":null})");
}

void writeRuntimes(JsonWriter& out, const EngineFacts& facts) {
  out.key("Runtimes").beginObject().key(facts.runtime_name).beginObject();
  out.member("path", facts.runtime_path).endObject().endObject();
  out.member("DefaultRuntime", facts.runtime_name);
  out.key("Swarm").raw(
      R"({"NodeID":"","NodeAddr":"","LocalNodeState":"inactive","ControlAvailable":false,)"
      R"("Error":"","RemoteManagers":null})");
  out.member("LiveRestoreEnabled", true)
      .member("Isolation", "")
      .member("InitBinary", "docker-init");
  for (const char* commit : {"ContainerdCommit", "RuncCommit", "InitCommit"}) {
    out.key(commit).raw(R"({"ID":""})");
  }
  out.member("SecurityOptions", std::vector<std::string>{"name=seccomp,profile=builtin"});
  out.key("FirewallBackend").beginObject().member("Driver", "nftables").endObject();
  out.key("CDISpecDirs").raw("[]");
}

/// For gateways, which ask every few seconds: the answer takes a list of all chains of the host.
class RecentWarnings {
 public:
  explicit RecentWarnings(NetworkManager& networks) : networks_(networks) {}

  std::vector<std::string> get() {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (!asked_ || now - *asked_ >= kLast) {
      warnings_ = networks_.warnings();
      asked_ = now;
    }
    return warnings_;
  }

 private:
  static constexpr std::chrono::minutes kLast{1};

  NetworkManager& networks_;
  std::mutex mutex_;  // guards what follows; held while asking: others want the same answer
  std::optional<std::chrono::steady_clock::time_point> asked_;
  std::vector<std::string> warnings_;
};

JobResult info(Lifecycle& lifecycle, const SystemFacts& facts,
               const std::vector<std::string>& warnings) {
  LifecycleParts& engine = lifecycle.parts;
  FLO_TRY_ASSIGN(const Counts counts, countContainers(lifecycle));
  const utsname host = kernel();
  struct sysinfo memory {};
  ::sysinfo(&memory);
  const bool cgroup_v2 = engine.facts.host.cgroup_v2;
  JsonWriter out;
  out.beginObject()
      .member("ID", facts.engine_id)
      .member("Containers", counts.all)
      .member("ContainersRunning", counts.running)
      .member("ContainersPaused", counts.paused)
      .member("ContainersStopped", counts.stopped)
      .member("Images",
              facts.image_count ? static_cast<std::int64_t>(facts.image_count()) : std::int64_t{0});
  writeDriver(out);
  writePlugins(out);
  writeLimits(out, cgroup_v2);
  out.member("NGoroutines", 0)
      .member("SystemTime", rfc3339(engine.clock()))
      .member("LoggingDriver", "json-file")
      .member("CgroupDriver", "cgroupfs")
      .member("CgroupVersion", cgroup_v2 ? "2" : "1")
      .member("NEventsListener", facts.event_listeners
                                     ? static_cast<std::int64_t>(facts.event_listeners())
                                     : std::int64_t{0})
      .member("KernelVersion", host.release)
      .member("OperatingSystem", operatingSystem())
      .member("OSVersion", "")
      .member("OSType", "linux")
      .member("Architecture", host.machine);
  writeRegistry(out);
  out.member("NCPU", static_cast<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN)))
      .member("MemTotal", static_cast<std::int64_t>(memory.totalram) * memory.mem_unit)
      .nullMember("GenericResources")
      .member("DockerRootDir", engine.paths.root())
      .member("HttpProxy", "")
      .member("HttpsProxy", "")
      .member("NoProxy", "")
      .member("Name", facts.name.empty() ? host.nodename : facts.name)
      .member("Labels", facts.labels)
      .member("ExperimentalBuild", false)
      .member("ServerVersion", facts.version);
  writeRuntimes(out, engine.facts);
  out.listOrNull("Warnings", warnings);
  // No containerd is below this engine; clients of API 1.46 expect the member.
  out.key("Containerd").raw(R"({"Address":"","Namespaces":{"Containers":"","Plugins":""}})");
  out.endObject();
  return JobOutput{out.take(), {}};
}

JobResult version(const SystemFacts& facts) {
  const utsname host = kernel();
  const std::string arch = goArchitecture(host.machine);
  JsonWriter out;
  out.beginObject().key("Platform").beginObject().member("Name", "Flotilla").endObject();
  out.key("Components")
      .beginArray()
      .beginObject()
      .member("Name", "Engine")
      .member("Version", facts.version);
  out.key("Details")
      .beginObject()
      .member("ApiVersion", kApiVersion)
      .member("Arch", arch)
      .member("BuildTime", FLO_BUILD_TIME)
      .member("Experimental", "false")
      .member("GitCommit", FLO_GIT_COMMIT)
      .member("GoVersion", "")
      .member("KernelVersion", host.release)
      .member("MinAPIVersion", kMinApiVersion)
      .member("Os", "linux")
      .endObject();
  out.endObject().endArray();
  out.member("Version", facts.version)
      .member("ApiVersion", kApiVersion)
      .member("MinAPIVersion", kMinApiVersion)
      .member("GitCommit", FLO_GIT_COMMIT)
      .member("GoVersion", "")
      .member("Os", "linux")
      .member("Arch", arch)
      .member("KernelVersion", host.release)
      .member("BuildTime", FLO_BUILD_TIME)
      .endObject();
  return JobOutput{out.take(), {}};
}

}  // namespace

void addSystemJobs(JobEngine& engine, Lifecycle& lifecycle, ContainerView& view,
                   SystemFacts facts_in) {
  const auto facts = std::make_shared<const SystemFacts>(std::move(facts_in));
  engine.handle("info", Lane::Query, [&lifecycle, facts](const JobContextPtr& context) {
    context->complete(info(lifecycle, *facts, lifecycle.parts.networks.warnings()));
  });
  engine.handle("version", Lane::Query,
                [facts](const JobContextPtr& context) { context->complete(version(*facts)); });
  const auto recent = std::make_shared<RecentWarnings>(lifecycle.parts.networks);
  addReportJob(engine, lifecycle, view,
               [&lifecycle, facts, recent] { return info(lifecycle, *facts, recent->get()); });
}

}  // namespace flotilla::engine
