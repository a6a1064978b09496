#include "common/model/container_update.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

HostConfig asked(const std::string& body) {
  const auto decoded = decodeUpdateRequest(body);
  EXPECT_TRUE(decoded) << body << ": " << decoded.error().message();
  return decoded.value_or(HostConfig{});
}

/// "OK", or the conflict dockerd 28.5.2 gave for the same request (each was seen there).
std::string answer(const HostConfig& current, const std::string& body) {
  const auto merged = mergeUpdate(current, asked(body));
  return merged ? "OK" : merged.error().message();
}

std::string refusal(const std::string& body) {
  const auto decoded = decodeUpdateRequest(body);
  return decoded ? "accepted" : decoded.error().message();
}

TEST(ContainerUpdate, LeavesAloneWhatIsNotAsked) {
  HostConfig current;
  current.memory = 64 << 20;
  current.memory_swap = 128 << 20;
  current.pids_limit = 50;
  current.cpuset_cpus = "0-1";
  current.restart_policy = "on-failure";
  current.restart_max_retries = 3;
  for (const char* body :
       {"", "null", "{}", R"({"Memory":0,"CpusetCpus":"","PidsLimit":null,"RestartPolicy":{}})",
        R"({"Unknown":1,"MemorySwappiness":-1,"OomKillDisable":false,"Devices":[]})"}) {
    const auto merged = mergeUpdate(current, asked(body));
    ASSERT_TRUE(merged) << body;
    EXPECT_EQ(encodeHostConfig(*merged), encodeHostConfig(current)) << body;
  }
}

TEST(ContainerUpdate, TakesEveryLimit) {
  const auto merged = mergeUpdate(
      {},
      asked(
          R"({"Memory":67108864,"MemorySwap":-1,"MemoryReservation":1,"CpuShares":2,"CpuPeriod":3,"CpuQuota":4,
                    "CpusetCpus":"0","CpusetMems":"1","PidsLimit":5,
                    "RestartPolicy":{"Name":"on-failure","MaximumRetryCount":6}})"));
  ASSERT_TRUE(merged);
  EXPECT_EQ(merged->memory, 67108864);
  EXPECT_EQ(merged->memory_swap, -1);
  EXPECT_EQ(merged->memory_reservation, 1);
  EXPECT_EQ(merged->cpu_shares, 2);
  EXPECT_EQ(merged->cpu_period, 3);
  EXPECT_EQ(merged->cpu_quota, 4);
  EXPECT_EQ(merged->cpuset_cpus, "0");
  EXPECT_EQ(merged->cpuset_mems, "1");
  EXPECT_EQ(merged->pids_limit, 5);
  EXPECT_EQ(merged->restart_policy, "on-failure");
  EXPECT_EQ(merged->restart_max_retries, 6);
  EXPECT_EQ(mergeUpdate({}, asked(R"({"NanoCpus":7})"))->nano_cpus, 7);
  EXPECT_EQ(mergeUpdate({}, asked(R"({"PidsLimit":-1})"))->pids_limit, 0);
}

TEST(ContainerUpdate, KeepsMemoryBelowTheSwapThatIsSet) {
  const std::string words =
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
  HostConfig current;
  EXPECT_EQ(answer(current, R"({"Memory":67108864})"), words);
  EXPECT_EQ(answer(current, R"({"Memory":67108864,"MemorySwap":67108864})"), "OK");
  current.memory_swap = -1;
  EXPECT_EQ(answer(current, R"({"Memory":67108864})"), words);
  current.memory_swap = 134217728;
  EXPECT_EQ(answer(current, R"({"Memory":67108864})"), "OK");
  EXPECT_EQ(answer(current, R"({"MemorySwap":-1})"), "OK");
}

TEST(ContainerUpdate, KeepsToOneWayOfLimitingTheCpu) {
  HostConfig with_cpus;
  with_cpus.nano_cpus = 1;
  EXPECT_EQ(answer(with_cpus, R"({"CpuQuota":50000})"),
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
  EXPECT_EQ(answer(with_cpus, R"({"CpuPeriod":50000})"),
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
  EXPECT_EQ(answer(with_cpus, R"({"CpuQuota":-1})"), "OK");
  HostConfig with_quota;
  with_quota.cpu_quota = 50000;
  EXPECT_EQ(answer(with_quota, R"({"NanoCpus":5})"),
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set");
}

TEST(ContainerUpdate, RestartsNothingThatIsRemovedAfterItsExit) {
  HostConfig current;
  current.auto_remove = true;
  EXPECT_EQ(answer(current, R"({"RestartPolicy":{"Name":"always"}})"),
            "Restart policy cannot be updated because AutoRemove is enabled for the container");
  EXPECT_EQ(answer(current, R"({"RestartPolicy":{"Name":"no"}})"), "OK");
}

TEST(ContainerUpdate, RefusesByNameWhatItCannotChange) {
  EXPECT_EQ(refusal(R"({"Ulimits":[{"Name":"nofile","Soft":5,"Hard":5}]})"),
            "Ulimits: changing it for an existing container is not supported by this engine");
  EXPECT_NE(refusal(R"({"BlkioWeight":500})").find("BlkioWeight"), std::string::npos);
  EXPECT_EQ(
      refusal("[]"),
      "invalid JSON: json: cannot unmarshal array into Go value of type container.UpdateConfig");
  EXPECT_NE(refusal(R"({"Memory":"x"})"), "accepted");
  EXPECT_NE(refusal("{"), "accepted");
}

}  // namespace
}  // namespace flotilla::model
