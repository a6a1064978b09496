#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "common/model/container.h"

namespace flotilla::model {
namespace {

using nlohmann::json;

constexpr ApiVersion kNewest{1, 51};

std::string messageOf(const std::string& body) {
  auto result = decodeCreateRequest(body, kNewest);
  return result ? "accepted" : result.error().message();
}

std::vector<json> recordedBodies(const std::string& cli) {
  std::ifstream file(std::string(FLO_TESTDATA) + "/create_bodies_cli_" + cli + ".jsonl");
  std::vector<json> bodies;
  for (std::string line; std::getline(file, line);) {
    bodies.push_back(json::parse(line));
  }
  return bodies;
}

CreateRequest recorded(const std::string& cli, const std::string& name) {
  for (const json& entry : recordedBodies(cli)) {
    if (entry["name"] == name) {
      auto result = decodeCreateRequest(entry["body"].dump(), kNewest);
      EXPECT_TRUE(result) << result.error().message();
      return result ? *result : CreateRequest{};
    }
  }
  ADD_FAILURE() << "no recorded body " << name;
  return {};
}

class RecordedBodies : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Clients, RecordedBodies, testing::Values("20.10", "28"),
                         [](const auto& param) { return "Cli" + std::string(param.param, 2); });

TEST_P(RecordedBodies, AreAcceptedOrRefusedByFieldAndValue) {
  const std::map<std::string, std::string> refused = {
      {"health",
       "Config.Healthcheck.Test: value [\"CMD-SHELL\",\"true\"] is not supported by this engine"},
      {"blkio", "HostConfig.BlkioWeight: value 100 is not supported by this engine"},
      {"links", "HostConfig.Links: value [\"spec-base:alias\"] is not supported by this engine"},
      {"storage_opt",
       "HostConfig.StorageOpt: value {\"size\":\"1G\"} is not supported by this engine"}};
  const std::vector<json> bodies = recordedBodies(GetParam());
  ASSERT_GT(bodies.size(), 30U);
  for (const json& entry : bodies) {
    const std::string name = entry["name"];
    const auto expected = refused.find(name);
    EXPECT_EQ(messageOf(entry["body"].dump()),
              expected == refused.end() ? "accepted" : expected->second)
        << name;
  }
}

TEST_P(RecordedBodies, SurviveTheStore) {
  for (const json& entry : recordedBodies(GetParam())) {
    const auto request = decodeCreateRequest(entry["body"].dump(), kNewest);
    if (!request) {
      continue;
    }
    const std::string config = encodeConfig(request->config);
    const std::string host = encodeHostConfig(request->host);
    EXPECT_EQ(encodeConfig(parseConfig(config).value()), config) << entry["name"];
    EXPECT_EQ(encodeHostConfig(parseHostConfig(host).value()), host) << entry["name"];
    // Nothing that was asked for is lost on the way: every scalar of the body that we know is in
    // the store.
    const json stored = json::parse(host);
    for (const auto& [key, value] : entry["body"]["HostConfig"].items()) {
      if (stored.contains(key) && value.is_primitive() && !value.is_null() &&
          key != "MemorySwappiness") {
        EXPECT_EQ(stored[key], value) << entry["name"] << " " << key;
      }
    }
  }
}

TEST_P(RecordedBodies, MutatedAtRandomNeverCrash) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same mutations on every run
  for (const json& entry : recordedBodies(GetParam())) {
    const std::string original = entry["body"].dump();
    for (int round = 0; round < 30; ++round) {
      std::string body = original;
      for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
        const std::size_t at = random() % body.size();
        switch (random() % 4) {
          case 0:
            body[at] = static_cast<char>(random());
            break;
          case 1:
            body.erase(at, 1 + random() % 20);
            break;
          case 2:
            body.insert(at, 1, "{}[]\",:0-"[random() % 9]);
            break;
          default:
            body.resize(at + 1);
        }
        if (body.empty()) {
          body.push_back('x');
        }
      }
      const auto result = decodeCreateRequest(body, kNewest);
      if (!result) {
        EXPECT_EQ(result.error().kind(), ErrorKind::InvalidArgument);
        EXPECT_FALSE(result.error().message().empty());
      }
    }
  }
}

TEST_P(RecordedBodies, WithAnyMemberOfAWrongTypeNeverCrash) {
  const std::vector<json> wrong = {nullptr,
                                   true,
                                   -1,
                                   1.5,
                                   "x",
                                   json::array({1}),
                                   json::array({"x", nullptr}),
                                   json::object({{"k", 1}}),
                                   json::array({json::object({{"Type", 1}})})};
  for (const json& entry : recordedBodies(GetParam())) {
    if (const std::string name = entry["name"];
        name != "mounts" && name != "ports" && name != "memory_cpu") {
      continue;  // these three together have every kind of member
    }
    const json flat = entry["body"].flatten();
    for (const auto& [pointer, ignored] : flat.items()) {
      for (const json& value : wrong) {
        json body = entry["body"];
        body[json::json_pointer(pointer)] = value;
        const auto result = decodeCreateRequest(body.dump(), kNewest);
        EXPECT_TRUE(result || result.error().kind() == ErrorKind::InvalidArgument);
      }
    }
  }
}

TEST(DecodeCreateRequest, ReadsResources) {
  const HostConfig host = recorded("28", "memory_cpu").host;
  EXPECT_EQ(host.memory, 64 << 20);
  EXPECT_EQ(host.memory_swap, 128 << 20);
  EXPECT_EQ(host.memory_reservation, 32 << 20);
  EXPECT_EQ(host.memory_swappiness, 10);
  EXPECT_EQ(host.nano_cpus, 1500000000);
  EXPECT_EQ(host.cpu_shares, 512);
  EXPECT_EQ(host.cpuset_cpus, "0-1");
  EXPECT_EQ(host.pids_limit, 50);
}

TEST(DecodeCreateRequest, ReadsPortsMountsAndRestart) {
  const CreateRequest ports = recorded("28", "ports");
  EXPECT_EQ(ports.config.exposed_ports.size(), 6U);
  EXPECT_EQ(ports.host.port_bindings.at("90/udp").at(0).host_ip, "127.0.0.1");
  EXPECT_TRUE(ports.host.publish_all_ports);
  const HostConfig mounts = recorded("28", "mounts").host;
  ASSERT_EQ(mounts.mounts.size(), 4U);
  EXPECT_TRUE(mounts.mounts[0].read_only);
  EXPECT_EQ(mounts.mounts[1].volume_labels.at("k"), "v");
  EXPECT_EQ(mounts.mounts[2].tmpfs_mode, 01700U);
  EXPECT_TRUE(mounts.mounts[3].no_copy);
  EXPECT_EQ(recorded("28", "restart").host.restart_max_retries, 3);
}

TEST(DecodeCreateRequest, TellsAbsentCommandFromEmptyOne) {
  EXPECT_FALSE(decodeCreateRequest(R"({"Image":"a"})", kNewest)->config.cmd.has_value());
  EXPECT_FALSE(decodeCreateRequest(R"({"Image":"a","Cmd":null})", kNewest)->config.cmd.has_value());
  EXPECT_TRUE(decodeCreateRequest(R"({"Image":"a","Cmd":[]})", kNewest)->config.cmd->empty());
  EXPECT_EQ(decodeCreateRequest(R"({"Image":"a","Cmd":"ls"})", kNewest)->config.cmd->at(0), "ls");
  EXPECT_EQ(recorded("28", "entrypoint_reset").config.entrypoint->at(0), "");
}

TEST(DecodeCreateRequest, ComparesNamesWithoutCaseAndIgnoresUnknownOnes) {
  EXPECT_EQ(decodeCreateRequest(R"({"image":"a","Later":{"x":[1]}})", kNewest)->config.image, "a");
}

TEST(DecodeCreateRequest, IgnoresConsoleSizeOfOldClients) {
  const std::string body = R"({"Image":"a","HostConfig":{"ConsoleSize":[24,80]}})";
  EXPECT_EQ(decodeCreateRequest(body, kNewest)->host.console_width, 80U);
  EXPECT_EQ(decodeCreateRequest(body, (ApiVersion{1, 41}))->host.console_width, 0U);
}

// Each answer was seen on dockerd 28.5.2.
TEST(DecodeCreateRequest, WordsBadJsonAsDockerd) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "invalid JSON: got EOF while reading request body"},
      {"{", "invalid JSON: unexpected EOF"},
      {"nul", "invalid JSON: unexpected EOF"},
      {R"({"Image":"a)", "invalid JSON: unexpected EOF"},
      {"null", "config cannot be empty in order to create a container"},
      {"{}", "config cannot be empty in order to create a container"},
      {R"({"HostConfig":{"CapAdd":"a"}})", "config cannot be empty in order to create a container"},
      {"[]",
       "invalid JSON: json: cannot unmarshal array into Go value of type container.CreateRequest"},
      {R"("x")",
       "invalid JSON: json: cannot unmarshal string into Go value of type container.CreateRequest"},
      {R"({"Image":"busybox"} trailing)", "unexpected content after JSON"},
      {R"({"image":"busybox"}{"a")", "unexpected content after JSON"},
      {R"({"a":1,})",
       "invalid JSON: invalid character '}' looking for beginning of object key string"},
      {"{'a':1}",
       R"(invalid JSON: invalid character '\'' looking for beginning of object key string)"},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_EQ(messageOf(body), message) << body;
  }
}

TEST(DecodeCreateRequest, WordsWrongTypesAsDockerd) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"Image":1})", "number into Go struct field .Image of type string"},
      {R"({"HostConfig":{"Memory":"x"}})",
       "string into Go struct field .HostConfig.Memory of type int64"},
      {R"({"HostConfig":{"Memory":1.5}})",
       "number 1.5 into Go struct field .HostConfig.Memory of type int64"},
      {R"({"HostConfig":[]})",
       "array into Go struct field .HostConfig of type container.HostConfig"},
      {R"({"Cmd":5})", "number into Go value of type string"},
      {R"({"Cmd":[1]})", "array into Go value of type string"},
      {R"({"Env":"A=b"})", "string into Go struct field .Env of type []string"},
      {R"({"ExposedPorts":[]})", "array into Go struct field .ExposedPorts of type nat.PortSet"},
      {R"({"Labels":{"a":1}})", "number into Go struct field .Labels.a of type string"},
      {R"({"HostConfig":{"PortBindings":[]}})",
       "array into Go struct field .HostConfig.PortBindings of type nat.PortMap"},
      {R"({"HostConfig":{"PortBindings":{"80/tcp":{}}}})",
       "object into Go struct field .HostConfig.PortBindings.80~1tcp of type []nat.PortBinding"},
      {R"({"HostConfig":{"PortBindings":{"80/tcp":[1]}}})",
       "number into .HostConfig.PortBindings.80~1tcp.0 of type nat.PortBinding"},
      {R"({"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}})",
       "number into Go struct field .HostConfig.PortBindings.80~1tcp.0.HostPort of type string"},
      {R"({"HostConfig":{"RestartPolicy":{"MaximumRetryCount":"x"}}})",
       "string into Go struct field .HostConfig.RestartPolicy.MaximumRetryCount of type int"},
      {R"({"HostConfig":{"LogConfig":{"Config":[]}}})",
       "array into Go struct field .HostConfig.LogConfig.Config of type map[string]string"},
      {R"({"HostConfig":{"Mounts":[1]}})", "number into .HostConfig.Mounts.0 of type mount.Mount"},
      {R"({"HostConfig":{"Mounts":[{"Type":1}]}})",
       "number into Go struct field .HostConfig.Mounts.0.Type of type mount.Type"},
      {R"({"HostConfig":{"Mounts":[{"TmpfsOptions":{"Mode":"x"}}]}})",
       "string into Go struct field .HostConfig.Mounts.0.TmpfsOptions.Mode of type fs.FileMode"},
      {R"({"HostConfig":{"Ulimits":[1]}})",
       "number into .HostConfig.Ulimits.0 of type units.Ulimit"},
      {R"({"HostConfig":{"ConsoleSize":[1,"a"]}})",
       "string into .HostConfig.ConsoleSize.1 of type uint"},
      {R"({"HostConfig":{"ConsoleSize":"a"}})",
       "string into Go struct field .HostConfig.ConsoleSize of type [2]uint"},
      {R"({"HostConfig":{"Init":"a"}})",
       "string into Go struct field .HostConfig.Init of type bool"},
      {R"({"StopTimeout":"a"})", "string into Go struct field .StopTimeout of type int"},
      {R"({"NetworkingConfig":{"EndpointsConfig":{"a":1}}})",
       "number into Go struct field .NetworkingConfig.EndpointsConfig.a of type network.EndpointSettings"},
      {R"({"NetworkingConfig":{"EndpointsConfig":{"a":{"IPAMConfig":{"IPv4Address":1}}}}})",
       "number into Go struct field .NetworkingConfig.EndpointsConfig.a.IPAMConfig.IPv4Address of type string"},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_EQ(messageOf(body), std::string("invalid JSON: json: cannot unmarshal ") + message)
        << body;
  }
}

TEST(DecodeCreateRequest, SurvivesDeepNesting) {
  EXPECT_EQ(messageOf(std::string(200000, '[')), "invalid JSON: unexpected EOF");
  EXPECT_EQ(messageOf("{\"Later\":" + std::string(100000, '[') + std::string(100000, ']') +
                      ",\"Image\":\"a\"}"),
            "accepted");
}

TEST(DecodeExecConfig, ReadsAndRefusesAsDockerd) {
  const auto exec = decodeExecConfig(
      R"({"Cmd":["ls","-l"],"Tty":true,"Env":["A=b"],"User":"1","WorkingDir":"/x","ConsoleSize":[3,4]})",
      kNewest);
  ASSERT_TRUE(exec);
  EXPECT_EQ(exec->cmd.at(1), "-l");
  EXPECT_TRUE(exec->tty);
  EXPECT_EQ(exec->console_height, 3U);
  EXPECT_EQ(decodeExecConfig("", kNewest).error().message(), "No exec command specified");
  EXPECT_EQ(decodeExecConfig(R"({"Cmd":[]})", kNewest).error().message(),
            "No exec command specified");
  EXPECT_EQ(
      decodeExecConfig(R"({"Cmd":"ls"})", kNewest).error().message(),
      "invalid JSON: json: cannot unmarshal string into Go struct field ExecOptions.Cmd of type []string");
  EXPECT_EQ(decodeExecConfig(R"({"Cmd":[1]})", kNewest).error().message(),
            "invalid JSON: json: cannot unmarshal number into ExecOptions.Cmd.0 of type string");
}

TEST(ParseConfig, RefusesWhatIsNotAStoredConfig) {
  EXPECT_FALSE(parseConfig("[]"));
  EXPECT_FALSE(parseHostConfig("{"));
  EXPECT_FALSE(parseHostConfig(R"({"Memory":"x"})"));
}

}  // namespace
}  // namespace flotilla::model
