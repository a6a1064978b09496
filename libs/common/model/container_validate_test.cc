#include "common/model/container_validate.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

constexpr ApiVersion kNewestVersion{1, 51};

HostFacts facts() {
  HostFacts facts;
  facts.cpus = 2;
  facts.cpuset_cpus = "0-1";
  facts.cpuset_mems = "0";
  facts.capabilities = knownCapabilities() & ~parseCapability("SYS_RESOURCE").value();
  return facts;
}

/// "OK", or the error dockerd 28.5.2 gave for the same body (each was seen there).
std::string answer(const std::string& members) {
  auto request = decodeCreateRequest(R"({"Image":"a",)" + members + "}", kNewestVersion);
  if (!request) {
    return request.error().message();
  }
  auto result = validateCreate(*request, facts(), kNewestVersion);
  return result ? (result->empty() ? "OK" : "OK " + result->front()) : result.error().message();
}
std::string hostAnswer(const std::string& members) {
  return answer(R"("HostConfig":{)" + members + "}");
}

struct Case {
  const char* members;
  const char* expected;
};

void expectAll(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    EXPECT_EQ(hostAnswer(test.members), test.expected) << test.members;
  }
}

TEST(ValidateCreate, ChecksMemoryAsDockerd) {
  expectAll(
      {{R"("Memory":-1)", "Minimum memory limit allowed is 6MB"},
       {R"("Memory":5242880)", "Minimum memory limit allowed is 6MB"},
       {R"("Memory":6291456)", "OK"},
       {R"("Memory":8388608,"MemorySwap":7340032)",
        "Minimum memoryswap limit should be larger than memory limit, see usage"},
       {R"("MemorySwap":8388608)",
        "You should always set the Memory limit when using Memoryswap limit, see usage"},
       {R"("MemorySwap":-1)", "OK"},
       {R"("Memory":8388608,"MemoryReservation":9437184)",
        "Minimum memory limit can not be less than memory reservation limit, see usage"},
       {R"("MemoryReservation":1)", "Minimum memory reservation allowed is 6MB"},
       {R"("MemorySwappiness":101)", "Invalid value: 101, valid memory swappiness range is 0-100"},
       {R"("MemorySwappiness":-1)", "OK"},
       {R"("OomKillDisable":true)",
        "OK OOM killer is disabled for the container, but no memory limit is set, this can result in the "
        "system running out of resources."}});
}

TEST(ValidateCreate, ChecksCpuAsDockerd) {
  expectAll(
      {{R"("NanoCpus":-1)",
        "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"},
       {R"("NanoCpus":2500000000)",
        "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"},
       {R"("NanoCpus":2000000000)", "OK"},
       {R"("NanoCpus":1000000000,"CpuPeriod":1000)",
        "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
       {R"("NanoCpus":1000000000,"CpuQuota":1000)",
        "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
       {R"("CpuPeriod":1)",
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
       {R"("CpuQuota":1)", "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
       {R"("CpuQuota":-1)", "OK"},
       {R"("CpuShares":-1)", "invalid CPU shares (-1): value must be a positive integer"},
       {R"("CpusetCpus":"9")", "Requested CPUs are not available - requested 9, available: 0-1"},
       {R"("CpusetCpus":"0-")", "Invalid value 0- for cpuset cpus: invalid format: 0-"},
       {R"("CpusetCpus":"0-1,0")", "OK"},
       {R"("CpusetCpus":"0,")", "Invalid value 0, for cpuset cpus: invalid format: 0,"},
       {R"("CpusetMems":"7")",
        "Requested memory nodes are not available - requested 7, available: 0"},
       {R"("CpusetMems":"x")", "Invalid value x for cpuset mems: invalid format: x"},
       {R"("OomScoreAdj":1001)", "Invalid value 1001, range for oom score adj is [-1000, 1000]"},
       {R"("ShmSize":-1)", "SHM size can not be less than 0"}});
}

TEST(ValidateCreate, ChecksRestartPolicyAsDockerd) {
  expectAll(
      {{R"("RestartPolicy":{"Name":"foo"})",
        "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"},
       {R"("RestartPolicy":{"Name":"always","MaximumRetryCount":1})",
        "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
       {R"("RestartPolicy":{"Name":"on-failure","MaximumRetryCount":-1})",
        "invalid restart policy: maximum retry count cannot be negative"},
       {R"("RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3})", "OK"},
       {R"("RestartPolicy":{"Name":"always"},"AutoRemove":true)",
        "can't create 'AutoRemove' container with restart policy"},
       {R"("RestartPolicy":{"Name":"no"},"AutoRemove":true)", "OK"}});
}

TEST(ValidateCreate, ChecksCapabilitiesAsDockerd) {
  expectAll(
      {{R"("CapAdd":["foo"])", R"(invalid CapAdd: unknown capability: "CAP_FOO")"},
       {R"("CapDrop":["FOO"])", R"(invalid CapDrop: unknown capability: "CAP_FOO")"},
       {R"("CapAdd":[""])", R"(invalid CapAdd: unknown capability: "CAP_")"},
       {R"("CapAdd":["net_admin","CAP_SYS_ADMIN","all"])", "OK"},
       {R"("Privileged":true,"CapAdd":["foo"])",
        R"(invalid CapAdd: unknown capability: "CAP_FOO")"},
       {R"("CapAdd":["SYS_RESOURCE"])",
        "invalid CapAdd: capability not supported by your kernel or not available in the current environment: "
        "\"CAP_SYS_RESOURCE\""}});
}

TEST(ValidateCreate, ChecksNamespacesAsDockerd) {
  expectAll(
      {{R"("IpcMode":"foo")", "invalid IPC mode: foo"},
       {R"("IpcMode":"container")", "invalid IPC mode: container"},
       {R"("IpcMode":"shareable")", "OK"},
       {R"("PidMode":"container:")", "invalid PID mode: container:"},
       {R"("PidMode":"foo")", "invalid PID mode: foo"},
       {R"("UTSMode":"container:x")", "invalid UTS mode: container:x"},
       {R"("CgroupnsMode":"foo")", "invalid cgroup namespace mode: foo"},
       {R"("Isolation":"hyperv")", "invalid isolation (hyperv): linux only supports 'default'"},
       {R"("Runtime":"foo")", "unknown or invalid runtime name: foo"},
       {R"("NetworkMode":"container")",
        "invalid network mode: invalid container format container:<name|id>"},
       {R"("NetworkMode":"container:")",
        "invalid network mode: invalid container format container:<name|id>"},
       {R"("NetworkMode":"container:x","Dns":["1.1.1.1"])",
        "conflicting options: dns and the network mode"},
       {R"("NetworkMode":"container:x","ExtraHosts":["a:1.1.1.1"])",
        "conflicting options: custom host-to-IP mapping and the network mode"},
       {R"("NetworkMode":"container:x","PublishAllPorts":true)",
        "conflicting options: port publishing and the container type network mode"},
       {R"("NetworkMode":"host","PortBindings":{"80/tcp":[{"HostPort":"1"}]})",
        "OK Published ports are discarded when using host network mode"},
       {R"("Annotations":{"":"x"})",
        "invalid Annotations: the empty string is not permitted as an annotation key"}});
}

TEST(ValidateCreate, ChecksSecurityOptionsAsDockerd) {
  expectAll(
      {{R"("SecurityOpt":["foo"])", R"(invalid --security-opt 1: "foo")"},
       {R"("SecurityOpt":["foo=bar"])", R"(invalid --security-opt 2: "foo=bar")"},
       {R"("SecurityOpt":["no-new-privileges=x"])",
        R"(invalid --security-opt 2: "no-new-privileges=x")"},
       {R"("SecurityOpt":["no-new-privileges:true","label=disable","apparmor=x","seccomp=unconfined"])",
        "OK"}});
}

TEST(ValidateCreate, ChecksHostsLogsAndPortsAsDockerd) {
  expectAll(
      {{R"("ExtraHosts":["foo"])", R"(bad format for add-host: "foo")"},
       {R"("ExtraHosts":["foo:bar"])", R"(invalid IP address in add-host: "bar")"},
       {R"("ExtraHosts":["foo:1.2.3.4","bar:host-gateway","v6:::1"])", "OK"},
       {R"("LogConfig":{"Type":"foo"})",
        "error looking up logging plugin foo: plugin \"foo\" not found"},
       {R"("LogConfig":{"Type":"json-file","Config":{"foo":"1"}})",
        "unknown log opt 'foo' for json-file log driver"},
       {R"("LogConfig":{"Type":"json-file","Config":{"mode":"x"}})",
        "logger: logging mode not supported: x"},
       {R"("LogConfig":{"Type":"json-file","Config":{"max-buffer-size":"1m"}})",
        "logger: max-buffer-size option is only supported with 'mode=non-blocking'"},
       {R"("LogConfig":{"Type":"json-file","Config":{"mode":"non-blocking","max-buffer-size":"x"}})",
        "error parsing option max-buffer-size: invalid size: 'x'"},
       {R"("LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}})", "OK"},
       {R"("PortBindings":{"80/tcp":[{"HostPort":"x"}]})", R"(invalid port specification: "x")"},
       {R"("PortBindings":{"80/tcp":[{"HostPort":"9-8"}]})",
        R"(invalid port specification: "9-8")"},
       {R"("PortBindings":{"99999/tcp":[]})", R"(invalid port specification: "99999")"},
       {R"("PortBindings":{"80-90/tcp":[{"HostPort":"80-90"}]})",
        R"(invalid port specification: "80-90")"}});
}

TEST(ValidateCreate, ChecksConfigAsDockerd) {
  const std::vector<Case> cases = {
      {R"("Env":[""])", "invalid environment variable: "},
      {R"("Env":["=x"])", "invalid environment variable: =x"},
      {R"("Env":["A"])", "OK"},
      {R"("WorkingDir":"rel")",
       "the working directory 'rel' is invalid, it needs to be an absolute path"},
      {R"("StopSignal":"FOO")", "invalid signal: FOO"},
      {R"("StopSignal":"9")", "OK"},
      {R"("MacAddress":"x")", "invalid config for network bridge: invalid MAC address x"},
      {R"("MacAddress":"02:42:ac:11:00:02")",
       "OK The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."},
      {R"("Hostname":"x","HostConfig":{"UTSMode":"host"})",
       "conflicting options: hostname and the UTS mode"},
      {R"("Hostname":"x","HostConfig":{"NetworkMode":"container:x"})",
       "conflicting options: hostname and the network mode"},
      {R"("ExposedPorts":{"80/tcp":{}},"HostConfig":{"NetworkMode":"container:x"})",
       "conflicting options: port exposing and the container type network mode"},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(answer(test.members), test.expected) << test.members;
  }
}

TEST(ValidateCreate, RefusesNulBytes) {
  EXPECT_EQ(answer("\"Cmd\":[\"a\\u0000b\"]"), "Cmd: NUL byte in value");
  EXPECT_EQ(answer("\"Env\":[\"A=\\u0000b\"]"), "Env: NUL byte in value");
}

TEST(ApplyDefaults, FillsWhatInspectShows) {
  auto request =
      decodeCreateRequest(
          R"({"Image":"a","WorkingDir":"/a/../b","HostConfig":{"Memory":8388608,"PidsLimit":-5},
          "NetworkingConfig":{"EndpointsConfig":{"default":{"MacAddress":"02:42:ac:11:00:09"}}}})",
          kNewestVersion)
          .value();
  applyDefaults(request, facts(), "crun");
  EXPECT_EQ(request.host.network_mode, "bridge");
  EXPECT_EQ(request.endpoints.at("bridge").mac_address, "02:42:ac:11:00:09");
  EXPECT_EQ(request.host.memory_swap, 16777216);
  EXPECT_EQ(request.host.shm_size, 67108864);
  EXPECT_EQ(request.host.ipc_mode, "private");
  EXPECT_EQ(request.host.cgroupns_mode, "host");
  EXPECT_FALSE(request.host.pids_limit.has_value());
  EXPECT_EQ(request.host.restart_policy, "no");
  EXPECT_EQ(request.host.log_driver, "json-file");
  EXPECT_EQ(request.host.masked_paths->size(), 12U);
  EXPECT_EQ(request.config.working_dir, "/b");
}

TEST(ApplyDefaults, LeavesPathsOfPrivilegedContainersOpen) {
  auto request =
      decodeCreateRequest(R"({"Image":"a","HostConfig":{"Privileged":true}})", kNewestVersion)
          .value();
  applyDefaults(request, facts(), "crun");
  EXPECT_FALSE(request.host.masked_paths.has_value());
  EXPECT_EQ(request.host.security_opt, std::vector<std::string>{"label=disable"});
}

}  // namespace
}  // namespace flotilla::model
