#include "engine/runtime/seccomp_bpf.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <map>

#include "engine/runtime/syscall_numbers_data.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;
using Program = std::vector<sock_filter>;

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kDeny = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kMissing = SECCOMP_RET_ERRNO | ENOSYS;

/// What happens to one call: a plain answer, or conditions on its first argument under which it is
/// allowed.
struct Verdict {
  std::uint32_t action = kDeny;
  enum class Test { None, Equals, Differs, Lacks } test = Test::None;
  std::vector<std::uint32_t> values;
  bool wide = false;  // arguments have 64 bits in this ABI: the high half must be zero to be equal
};

/// Calls `first`..(next span's first - 1) share a verdict.
struct Span {
  std::uint32_t first = 0;
  Verdict verdict;
};

sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<__u16>(code), 0, 0, k};
}
sock_filter jump(unsigned code, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
  return {static_cast<__u16>(code), static_cast<__u8>(if_true), static_cast<__u8>(if_false), k};
}
sock_filter answer(std::uint32_t action) { return statement(BPF_RET | BPF_K, action); }
sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

constexpr std::size_t kArgumentLow = offsetof(seccomp_data, args);  // little endian
constexpr std::size_t kArgumentHigh = kArgumentLow + sizeof(std::uint32_t);

Program conditional(const Verdict& verdict) {
  Program code;
  const std::size_t count = verdict.values.size();
  switch (verdict.test) {
    case Verdict::Test::None:
      code = {answer(verdict.action)};
      break;
    case Verdict::Test::Lacks:
      code = {load(kArgumentLow), jump(BPF_JMP | BPF_JSET | BPF_K, verdict.values[0], 1, 0),
              answer(SECCOMP_RET_ALLOW), answer(kDeny)};
      break;
    case Verdict::Test::Differs:
      code = {jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), load(kArgumentLow),
              jump(BPF_JMP | BPF_JEQ | BPF_K, verdict.values[0], 1, 0), answer(SECCOMP_RET_ALLOW),
              answer(kDeny)};
      break;
    case Verdict::Test::Equals:
      code = {jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, count + 1), load(kArgumentLow)};
      for (std::size_t i = 0; i < count; ++i) {
        code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, verdict.values[i], count - i, 0));
      }
      code.push_back(answer(kDeny));
      code.push_back(answer(SECCOMP_RET_ALLOW));
      break;
  }
  if (verdict.test == Verdict::Test::Differs || verdict.test == Verdict::Test::Equals) {
    // The first statement looks at the high half; without one it goes.
    if (verdict.wide) {
      code.insert(code.begin(), load(kArgumentHigh));
    } else {
      code.erase(code.begin());
    }
  }
  return code;
}

/// A decision tree over spans [first, last); the call's number is in the accumulator.
Program search(const std::vector<Span>& spans, std::size_t first, std::size_t last) {
  if (last - first == 1) {
    return conditional(spans[first].verdict);
  }
  const std::size_t middle = first + (last - first) / 2;
  const Program low = search(spans, first, middle);
  const Program high = search(spans, middle, last);
  // Jumps reach 255 statements, "ja" any distance.
  Program code = {jump(BPF_JMP | BPF_JGE | BPF_K, spans[middle].first, 0, 1),
                  statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(low.size()))};
  code.insert(code.end(), low.begin(), low.end());
  code.insert(code.end(), high.begin(), high.end());
  return code;
}

std::optional<Verdict> verdictOf(const json& rule) {
  Verdict verdict;
  if (rule["action"] == "SCMP_ACT_ERRNO") {
    verdict.action = SECCOMP_RET_ERRNO |
                     (rule.value("errnoRet", static_cast<std::uint32_t>(EPERM)) & SECCOMP_RET_DATA);
    return rule.contains("args") ? std::nullopt : std::optional(verdict);
  }
  if (rule["action"] != "SCMP_ACT_ALLOW") {
    return std::nullopt;
  }
  verdict.action = SECCOMP_RET_ALLOW;
  if (!rule.contains("args")) {
    return verdict;
  }
  const json& argument = rule["args"][0];
  if (rule["args"].size() != 1 || argument["index"] != 0) {
    return std::nullopt;
  }
  const std::string op = argument["op"];
  verdict.test = op == "SCMP_CMP_EQ"          ? Verdict::Test::Equals
                 : op == "SCMP_CMP_NE"        ? Verdict::Test::Differs
                 : op == "SCMP_CMP_MASKED_EQ" ? Verdict::Test::Lacks
                                              : Verdict::Test::None;
  verdict.values = {argument["value"].get<std::uint32_t>()};
  return verdict.test == Verdict::Test::None ? std::nullopt : std::optional(verdict);
}

/// Verdicts by name; several rules of one call are alternatives.
std::optional<std::map<std::string, Verdict>> verdictsOf(const json& profile) {
  std::map<std::string, Verdict> verdicts;
  for (const json& rule : profile["syscalls"]) {
    const auto verdict = verdictOf(rule);
    if (!verdict) {
      return std::nullopt;
    }
    for (const json& name : rule["names"]) {
      const auto [known, added] = verdicts.emplace(name, *verdict);
      if (added) {
        continue;
      }
      if (verdict->test == Verdict::Test::Equals && known->second.test == Verdict::Test::Equals) {
        known->second.values.push_back(verdict->values[0]);
      } else if (verdict->test == Verdict::Test::None) {
        known->second = *verdict;
      } else if (known->second.test != Verdict::Test::None) {
        return std::nullopt;
      }
    }
  }
  return verdicts;
}

/// Columns of the table of numbers.
enum class Abi { X86_64, I386, X32 };

std::vector<Span> spansOf(const std::map<std::string, Verdict>& verdicts, const json& numbers,
                          Abi abi) {
  const std::uint32_t bit = abi == Abi::X32 ? kX32Bit : 0;
  std::map<std::uint32_t, Verdict> by_number;
  std::uint32_t newest = 0;
  for (const auto& [name, columns] : numbers.items()) {
    const int number = columns[static_cast<std::size_t>(abi)];
    if (number < 0) {
      continue;
    }
    newest = std::max(newest, static_cast<std::uint32_t>(number));
    if (const auto found = verdicts.find(name); found != verdicts.end()) {
      by_number[static_cast<std::uint32_t>(number)] = found->second;
      by_number[static_cast<std::uint32_t>(number)].wide = abi == Abi::X86_64;
    }
  }
  std::vector<Span> spans;
  auto add = [&](std::uint32_t number, const Verdict& verdict) {
    // Width matters only where an argument is looked at.
    if (spans.empty() || spans.back().verdict.action != verdict.action ||
        spans.back().verdict.test != verdict.test ||
        spans.back().verdict.values != verdict.values) {
      spans.push_back({number | bit, verdict});
    }
  };
  const Verdict deny;
  for (std::uint32_t number = 0; number <= newest; ++number) {
    const auto found = by_number.find(number);
    add(number, found == by_number.end() ? deny : found->second);
  }
  Verdict missing;
  missing.action = kMissing;
  add(newest + 1, missing);
  return spans;
}

}  // namespace

std::optional<Program> compileSeccomp(const json& profile) {
#if defined(__x86_64__)
  const auto verdicts = verdictsOf(profile);
  const json numbers = json::parse(kSyscallNumbersData, nullptr, false);
  if (!verdicts || !numbers.is_object() || profile.value("defaultAction", "") != "SCMP_ACT_ERRNO") {
    return std::nullopt;
  }
  std::vector<Span> native = spansOf(*verdicts, numbers, Abi::X86_64);
  for (Span& span : spansOf(*verdicts, numbers, Abi::X32)) {
    native.push_back(std::move(span));
  }
  const std::vector<Span> old = spansOf(*verdicts, numbers, Abi::I386);
  const Program native_code = search(native, 0, native.size());
  const Program old_code = search(old, 0, old.size());
  Program code = {load(offsetof(seccomp_data, arch)),
                  jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 3, 0),
                  jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 1),
                  statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(native_code.size() + 2)),
                  answer(SECCOMP_RET_KILL_THREAD),
                  load(offsetof(seccomp_data, nr))};
  code.insert(code.end(), native_code.begin(), native_code.end());
  code.push_back(load(offsetof(seccomp_data, nr)));
  code.insert(code.end(), old_code.begin(), old_code.end());
  return code;
#else
  static_cast<void>(profile);
  return std::nullopt;
#endif
}

std::string encodeBpf(const Program& program) {
  const std::size_t size = program.size() * sizeof(sock_filter);
  std::string text((size + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends with a NUL
  // Both casts: OpenSSL speaks unsigned char; sock_filter is plain data.
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(program.data()),
                                     static_cast<int>(size));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace flotilla::engine
