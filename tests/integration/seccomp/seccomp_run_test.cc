#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/model/container_validate.h"
#include "common/os/random.h"
#include "common/os/unique_fd.h"
#include "engine/runtime/host_facts.h"
#include "engine/runtime/oci_spec.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

/// Runs `script` with sh in a mount namespace of its own and returns what it prints.
std::string runIsolated(const std::string& script) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return "no pipe";
  }
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 2);
  const std::array<std::string, 7> words = {"timeout", "-k5", "90", "unshare", "-m", "sh", "-ec"};
  std::vector<char*> argv;
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(const_cast<char*>(script.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, "timeout", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  in.reset();
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; failed == 0 && (n = read(out.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  waitpid(pid, nullptr, 0);
  return text;
}

class SeccompRun : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
#if !defined(__x86_64__)
    GTEST_SKIP() << "answers were recorded on x86-64";
#endif
    if (geteuid() != 0) {
      GTEST_SKIP() << "needs root";
    }
    if (access("/usr/bin/crun", X_OK) != 0) {
      GTEST_SKIP() << "needs crun";
    }
    fs::create_directories(dir_ + "/root/proc");
    fs::copy_file(FLO_SECCOMP_PROBE, dir_ + "/root/probe");
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  /// The probe's answers in a container with these capability options, under crun.
  std::string probe(const std::string& host_config) {
    auto request = model::decodeCreateRequest(
                       R"({"Image":"x","Cmd":["/probe"],"HostConfig":{"NetworkMode":"none")" +
                           host_config + "}}",
                       {})
                       .value();
    const model::HostFacts facts = hostFacts();
    model::applyDefaults(request, facts, "crun");
    SpecInput input;
    input.config = &request.config;
    input.host = &request.host;
    input.rootfs = dir_ + "/root";
    input.cgroup_path = "/" + id_;
    input.capabilities = facts.capabilities;
    input.cgroup_v2 = facts.cgroup_v2;
    const auto spec = buildOciSpec(input);
    EXPECT_TRUE(spec) << spec.error().message();
    std::ofstream(dir_ + "/config.json") << spec.value_or("");
    // crun does not run on the hybrid cgroup layout while "unified" is in sight.
    return runIsolated(
        "mount --make-rprivate /; umount /sys/fs/cgroup/unified 2>/dev/null || true; cd " + dir_ +
        "; exec crun --root " + dir_ + "/crun run -b " + dir_ + " " + id_ + " </dev/null");
  }

  std::string id_ = "flotilla-seccomp-" + randomHex(6);
  std::string dir_ = ::testing::TempDir() + id_;
};
INSTANTIATE_TEST_SUITE_P(Capabilities, SeccompRun, ::testing::Values("none", "default", "all"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SeccompRun, EveryCallIsAnsweredAsUnderDockerd) {
  const std::map<std::string, std::string> options = {
      {"none", R"(,"CapDrop":["ALL"])"}, {"default", ""}, {"all", R"(,"CapAdd":["ALL"])"}};
  std::ifstream file(std::string(FLO_TESTDATA) + "/probe_dockerd_28.5.json");
  const std::string expected = nlohmann::json::parse(file).at(GetParam());
  const std::string answers = probe(options.at(GetParam()));
  ASSERT_EQ(answers.size(), expected.size()) << answers;
  for (std::size_t number = 0; number < expected.size(); ++number) {
    if (expected[number] == 'o' && answers[number] == 'N') {
      continue;  // allowed, but this kernel does not have it
    }
    EXPECT_EQ(answers[number], expected[number]) << "system call " << number;
  }
}

}  // namespace
}  // namespace flotilla::engine
