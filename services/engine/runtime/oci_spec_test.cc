#include "engine/runtime/oci_spec.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/model/container_validate.h"
#include "common/model/mount_spec.h"
#include "common/model/namespace_mode.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

/// What the machine that recorded the goldens had: all but SYS_RESOURCE.
const model::CapabilitySet kAvailable =
    model::knownCapabilities() & ~model::parseCapability("SYS_RESOURCE").value();

/// The recording's image: PATH=/bin. The rest is what create and start would fill in.
struct Built {
  model::CreateRequest request;
  SpecInput input;
};

std::vector<SpecMount> specMounts(const model::CreateRequest& request) {
  std::vector<SpecMount> mounts;
  const auto points = model::collectMounts(request.config, request.host);
  for (const model::MountPoint& point : points.value()) {
    const bool tmpfs = point.kind == model::MountPoint::Kind::Tmpfs;
    const bool volume = point.kind == model::MountPoint::Kind::Volume;
    mounts.push_back({tmpfs ? SpecMount::Kind::Tmpfs : SpecMount::Kind::Bind,
                      volume ? "<volume>" : point.source, point.target, point.read_only,
                      point.propagation, point.tmpfs_options});
  }
  return mounts;
}

void prepare(const json& body, Built& built) {
  const ApiVersion version{1, 50};
  built.request = model::decodeCreateRequest(body.dump(), version).value();
  model::HostFacts facts;
  facts.capabilities = kAvailable;
  model::applyDefaults(built.request, facts, "crun");
  model::ContainerConfig& config = built.request.config;
  const model::HostConfig& host = built.request.host;
  config.env = mergeEnvironment({"PATH=/bin"}, config.env);
  if (config.hostname.empty()) {
    config.hostname = host.network_mode == "host" ? "<host>" : "<id12>";
  }
  SpecInput& input = built.input;
  input.config = &config;
  input.host = &host;
  input.rootfs = "<rootfs>";
  input.cgroup_path = "<cgroup>";
  input.resolv_path = "<dir>/resolv.conf";
  input.hostname_path = "<dir>/hostname";
  input.hosts_path = "<dir>/hosts";
  input.mounts = specMounts(built.request);
  input.capabilities = kAvailable;
  auto path = [](const std::string& mode, const char* name) {
    return model::NamespaceMode::parse(mode).isContainer()
               ? std::string("/proc/<peerpid>/ns/") + name
               : "";
  };
  input.netns_path = path(host.network_mode, "net");
  input.pid_ns_path = path(host.pid_mode, "pid");
  input.ipc_ns_path = path(host.ipc_mode, "ipc");
  if (host.ipc_mode == "shareable" || !input.ipc_ns_path.empty()) {
    input.shm_path = "<shm>";
  }
  if (host.init.value_or(false)) {
    input.init_path = "<init>";
  }
}

/// Takes away what differs by design: the shim's annotations, order within sets, and rprivate on
/// volumes (dockerd leaves it out where ours says it).
json normalise(json spec, bool privileged) {
  spec.erase("ociVersion");
  if (spec.contains("annotations")) {
    for (const char* own :
         {"org.flotilla.user", "org.flotilla.group_add", "run.oci.seccomp_bpf_data"}) {
      spec["annotations"].erase(own);
    }
    if (spec["annotations"].empty()) {
      spec.erase("annotations");
    }
  }
  for (auto& [key, list] : spec["process"]["capabilities"].items()) {
    std::sort(list.begin(), list.end());
  }
  if (privileged) {
    spec["linux"].erase("devices");  // the host's own
  }
  spec["linux"]["seccomp"] =
      spec["linux"].contains("seccomp") && spec["linux"]["seccomp"] != json(false);
  auto sort = [](json& list, auto key) {
    std::sort(list.begin(), list.end(),
              [&](const json& a, const json& b) { return a[key] < b[key]; });
  };
  if (spec["process"].contains("rlimits")) {
    sort(spec["process"]["rlimits"], "type");
  }
  sort(spec["mounts"], "destination");
  for (json& mount : spec["mounts"]) {
    json& options = mount["options"];
    if (mount["source"] == "<volume>") {
      options.erase(std::remove(options.begin(), options.end(), json("rprivate")), options.end());
    }
    if (mount["type"] == "tmpfs") {
      std::sort(options.begin(), options.end());
    }
  }
  return spec;
}

std::vector<json> goldens() {
  std::ifstream file(std::string(FLO_TESTDATA) + "/config_json_dockerd_28.5.jsonl");
  std::vector<json> all;
  for (std::string line; std::getline(file, line);) {
    all.push_back(json::parse(line));
  }
  return all;
}

TEST(BuildOciSpec, EqualsDockerdsConfigJson) {
  const std::vector<json> all = goldens();
  ASSERT_GE(all.size(), 40U);
  for (const json& golden : all) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    Built built;
    prepare(golden["body"], built);
    const auto spec = buildOciSpec(built.input);
    ASSERT_TRUE(spec) << spec.error().message();
    const bool privileged = built.request.host.privileged;
    EXPECT_EQ(json::diff(normalise(golden["spec"], privileged),
                         normalise(json::parse(*spec), privileged)),
              json::array());
  }
}

/// Shared by the tests below: builds from HostConfig and Config members.
Result<std::string> build(const std::string& config, const std::string& host,
                          bool cgroup_v2 = false) {
  Built built;
  prepare(json::parse(R"({"Image":"a","Cmd":["x"],)" + config + R"("HostConfig":{)" + host + "}}"),
          built);
  built.input.cgroup_v2 = cgroup_v2;
  return buildOciSpec(built.input);
}
std::string refusal(const std::string& host) {
  auto spec = build("", host);
  return spec ? "built" : spec.error().message();
}

TEST(BuildOciSpec, CarriesTheUserForTheShim) {
  const json spec = json::parse(build(R"("User":"me:us",)", R"("GroupAdd":["audio","5"])").value());
  EXPECT_EQ(spec["annotations"]["org.flotilla.user"], "me:us");
  EXPECT_EQ(json::parse(spec["annotations"]["org.flotilla.group_add"].get<std::string>()),
            json({"audio", "5"}));
}

TEST(BuildOciSpec, GivesOtherRuntimesTheRulesInsteadOfTheProgram) {
  Built built;
  prepare(json::parse(R"({"Image":"a","Cmd":["x"]})"), built);
  built.input.raw_seccomp = false;
  const json rules = json::parse(buildOciSpec(built.input).value());
  EXPECT_FALSE(rules.contains("annotations"));
  EXPECT_GT(rules["linux"]["seccomp"]["syscalls"].size(), 5U);
#if defined(__x86_64__)
  built.input.raw_seccomp = true;
  const json program = json::parse(buildOciSpec(built.input).value());
  EXPECT_GT(program["annotations"]["run.oci.seccomp_bpf_data"].get<std::string>().size(), 1000U);
  EXPECT_TRUE(program["linux"]["seccomp"]["syscalls"].empty());
#endif
}

TEST(BuildOciSpec, LeavesOutWhatCgroupV2DoesNotHave) {
  const json spec = json::parse(
      build("", R"("Memory":8388608,"MemorySwappiness":5,"OomKillDisable":true)", true).value());
  EXPECT_EQ(spec["linux"]["resources"]["memory"], json({{"limit", 8388608}, {"swap", 16777216}}));
}

TEST(BuildOciSpec, UserMountsReplaceDefaultOnes) {
  const json spec =
      json::parse(build("", R"("Binds":["/x:/dev"],"Tmpfs":{"/sys/fs/cgroup":"rw"})").value());
  std::map<std::string, std::string> types;
  for (const json& mount : spec["mounts"]) {
    EXPECT_TRUE(types.emplace(mount["destination"], mount["type"]).second) << mount;
  }
  EXPECT_EQ(types.at("/dev"), "bind");
  EXPECT_EQ(types.at("/sys/fs/cgroup"), "tmpfs");
  EXPECT_FALSE(types.contains("/dev/shm"));
}

TEST(BuildOciSpec, RefusesInDockersWords) {
  EXPECT_EQ(refusal(R"("Ulimits":[{"Name":"foo","Soft":1,"Hard":1}])"), "invalid ulimit type: foo");
  EXPECT_EQ(refusal(R"("Ulimits":[{"Name":"nofile","Soft":2,"Hard":1}])"),
            "ulimit soft limit must be less than or equal to hard limit: 2 > 1");
  EXPECT_EQ(refusal(R"("DeviceCgroupRules":["foo"])"), "invalid device cgroup rule format: 'foo'");
  EXPECT_EQ(
      refusal(R"("Devices":[{"PathOnHost":"/dev/flotilla-none"}])"),
      "error gathering device information while adding custom device \"/dev/flotilla-none\": no such file or "
      "directory");
  EXPECT_EQ(refusal(R"("Sysctls":{"foo.bar":"1"})"),
            "sysctl \"foo.bar\" is not in a separate kernel namespace");
  EXPECT_EQ(refusal(R"("NetworkMode":"host","Sysctls":{"net.core.somaxconn":"1"})"),
            "sysctl \"net.core.somaxconn\" not allowed in host network namespace");
}

TEST(BuildOciSpec, WritesAnyBytesOfTheEnvironment) {
  Built built;
  prepare(json::parse(R"({"Image":"a","Cmd":["x"]})"), built);
  built.request.config.env.push_back("A=\xff\xfe");
  EXPECT_TRUE(buildOciSpec(built.input));
}

}  // namespace
}  // namespace flotilla::engine
