#include "engine/runtime/seccomp_bpf.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <openssl/evp.h>

#include <cstring>
#include <fstream>

#include "common/model/capabilities.h"
#include "engine/runtime/seccomp.h"
#include "engine/runtime/seccomp_filter.h"

namespace flotilla::engine {
namespace {

/// What the kernel would do: enough of classic BPF for seccomp programs.
std::uint32_t evaluate(const std::vector<sock_filter>& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    auto branch = [&](bool taken) { at += taken ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k,
                    sizeof accumulator);  // NOLINT
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        branch(accumulator == step.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        branch(accumulator >= step.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        branch(accumulator > step.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        branch((accumulator & step.k) != 0);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        ADD_FAILURE() << "statement " << at << " has code " << step.code;
        return 0;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return 0;
}

/// The filter dockerd 28.5.2's container had, as read back from its process
/// (PTRACE_SECCOMP_GET_FILTER).
std::vector<sock_filter> recordedFilter(const std::string& name) {
  std::ifstream file(std::string(FLO_TESTDATA) + "/seccomp_bpf_dockerd_28.5.json");
  const std::string text = nlohmann::json::parse(file).at(name);
  std::vector<unsigned char> bytes(text.size());
  const int size =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),  // NOLINT
                      static_cast<int>(text.size()));
  std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

seccomp_data call(std::uint32_t arch, std::uint32_t number, std::uint64_t argument) {
  seccomp_data data{};
  data.arch = arch;
  data.nr = static_cast<int>(number);
  data.args[0] = argument;
  return data;
}

class SeccompBpf : public ::testing::TestWithParam<const char*> {
 protected:
  static model::CapabilitySet capabilities() {
    const std::string name = GetParam();
    const auto sys_admin = model::parseCapability("SYS_ADMIN").value();
    const auto sys_resource = model::parseCapability("SYS_RESOURCE").value();
    return name == "none"      ? 0
           : name == "default" ? model::defaultCapabilities()
           : name == "admin"   ? sys_admin
                               : model::knownCapabilities() & ~sys_resource;
  }
};
INSTANTIATE_TEST_SUITE_P(Capabilities, SeccompBpf,
                         ::testing::Values("none", "default", "admin", "all"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SeccompBpf, AnswersEveryCallAsDockerdsFilter) {
  const auto ours = compileSeccomp(defaultSeccomp(capabilities()));
  if (!ours) {
    GTEST_SKIP() << "not an x86-64 build";
  }
  const auto theirs = recordedFilter(GetParam());
  const std::uint64_t arguments[] = {0,          1,           2,           8,          9,
                                     40,         41,          0x20000,     0x20008,    0x20001,
                                     0xffffffff, 0x02000000,  0x10000000,  0x00020000, 0x7e020000,
                                     17,         0x100000000, 0x100000008, 0x100000028};
  const std::pair<std::uint32_t, std::uint32_t> abis[] = {
      {AUDIT_ARCH_X86_64, 0}, {AUDIT_ARCH_I386, 0}, {AUDIT_ARCH_X86_64, 0x40000000}};
  for (const auto& [arch, bit] : abis) {
    for (std::uint32_t number = 0; number < 1200; ++number) {
      for (const std::uint64_t argument : arguments) {
        if (arch == AUDIT_ARCH_I386 && argument > 0xffffffff) {
          continue;  // registers have 32 bits there
        }
        const seccomp_data data = call(arch, number | bit, argument);
        ASSERT_EQ(evaluate(*ours, data), evaluate(theirs, data))
            << std::hex << "arch " << arch << std::dec << " call " << number << " argument "
            << argument;
      }
    }
    const seccomp_data last = call(arch, 0xffffffff, 0);
    EXPECT_EQ(evaluate(*ours, last), evaluate(theirs, last));
  }
  EXPECT_EQ(evaluate(*ours, call(AUDIT_ARCH_AARCH64, 0, 0)),
            evaluate(theirs, call(AUDIT_ARCH_AARCH64, 0, 0)));
}

TEST(CompileSeccomp, LeavesOtherProfilesToTheRuntime) {
  const auto custom = customSeccomp(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
      {"names":["mkdir"],"action":"SCMP_ACT_LOG"}]})",
                                    0);
  EXPECT_FALSE(compileSeccomp(custom.value()));
}

TEST(SeccompFilter, IsTheSameEachTimeAndItsOwnForEachSetOfCapabilities) {
  const auto engine = SeccompCompiler::Engine;
  const auto usual = model::defaultCapabilities();
  const SeccompFilter first = defaultFilter(usual, engine);
  EXPECT_EQ(defaultFilter(usual, engine).program, first.program);
  EXPECT_EQ(first.program, finishFilter(defaultSeccomp(usual), engine).program);
  const SeccompFilter rules = defaultFilter(usual, SeccompCompiler::Runtime);
  EXPECT_EQ(rules.program, "");
  EXPECT_EQ(rules.rules, defaultSeccomp(usual));
  if (!first.program.empty()) {
    EXPECT_NE(defaultFilter(0, engine).program, first.program);
    EXPECT_TRUE(first.rules["syscalls"].empty());
  }
}

TEST(CompileSeccomp, StaysWithinTheKernelsLimit) {
  if (const auto program = compileSeccomp(defaultSeccomp(0))) {
    EXPECT_LT(program->size(), std::size_t{BPF_MAXINSNS});
  }
}

}  // namespace
}  // namespace flotilla::engine
