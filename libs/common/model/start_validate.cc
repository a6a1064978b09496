#include "common/model/start_validate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "common/model/byte_size.h"
#include "common/model/invalid.h"

namespace flotilla::model {
namespace {

constexpr std::string_view kCreatingTask = "failed to create task for container: ";

/// A number in Go's decimal notation, refused in Go's words.
Result<int> parseCount(const std::string& text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
  }
  int number = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed == std::errc::result_out_of_range) {
    return invalid("strconv.Atoi: parsing \"" + text + "\": value out of range");
  }
  if (failed != std::errc() || end != digits.data() + digits.size()) {
    return invalid("strconv.Atoi: parsing \"" + text + "\": invalid syntax");
  }
  return number;
}

Result<bool> parseSwitch(const std::string& text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  const bool on = std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end();
  if (!on && std::find(kFalse.begin(), kFalse.end(), text) == kFalse.end()) {
    return invalid("strconv.ParseBool: parsing \"" + text + "\": invalid syntax");
  }
  return on;
}

bool isTmpfsOption(std::string_view option) {
  constexpr std::array<std::string_view, 34> kFlags = {
      "defaults",   "ro",          "rw",         "suid",        "nosuid",        "dev",     "nodev",
      "exec",       "noexec",      "sync",       "async",       "dirsync",       "remount", "mand",
      "nomand",     "atime",       "noatime",    "diratime",    "nodiratime",    "bind",    "rbind",
      "unbindable", "runbindable", "private",    "rprivate",    "shared",        "rshared", "slave",
      "rslave",     "relatime",    "norelatime", "strictatime", "nostrictatime", ""};
  constexpr std::array<std::string_view, 7> kKeys = {"size",      "mode",      "uid", "gid",
                                                     "nr_inodes", "nr_blocks", "mpol"};
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos) {
    return std::find(kFlags.begin(), kFlags.end(), option) != kFlags.end();
  }
  return std::find(kKeys.begin(), kKeys.end(), option.substr(0, equals)) != kKeys.end();
}

Result<void> checkTmpfsOptions(std::string_view options) {
  while (!options.empty()) {
    const std::size_t end = std::min(options.find(','), options.size());
    const std::string_view option = options.substr(0, end);
    if (!isTmpfsOption(option)) {
      return invalid("invalid tmpfs option \"" + std::string(option) + "\"");
    }
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return {};
}

}  // namespace

Result<JsonFileOptions> parseJsonFileOptions(const std::map<std::string, std::string>& options) {
  JsonFileOptions parsed;
  const auto find = [&](const char* name) {
    const auto found = options.find(name);
    return found == options.end() ? nullptr : &found->second;
  };
  if (const std::string* size = find("max-size")) {
    FLO_TRY_ASSIGN(parsed.max_size, parseByteSize(*size));
    if (*parsed.max_size <= 0) {
      return invalid("max-size must be a positive number");
    }
  }
  if (const std::string* files = find("max-file")) {
    FLO_TRY_ASSIGN(const int number, parseCount(*files));
    if (number < 1) {
      return invalid("max-file cannot be less than 1");
    }
    parsed.max_files = static_cast<unsigned>(number);
  }
  if (const std::string* compress = find("compress")) {
    FLO_TRY_ASSIGN(parsed.compress, parseSwitch(*compress));
    if (parsed.compress && (parsed.max_files.value_or(1) < 2 || !parsed.max_size)) {
      return invalid("compress cannot be true when max-file is less than 2 or max-size is not set");
    }
  }
  return parsed;
}

Result<void> validateStart(const HostConfig& host) {
  if (host.log_driver != "none") {
    if (auto log = parseJsonFileOptions(host.log_options); !log) {
      return std::move(log).error().context(std::string(kCreatingTask) +
                                            "failed to initialize logging driver");
    }
  }
  for (const auto& [path, options] : host.tmpfs) {
    FLO_TRY(checkTmpfsOptions(options));
  }
  return {};
}

Result<void> checkProcMount(const std::string& source, const std::string& target,
                            const std::string& rootfs, bool source_is_proc) {
  // What runc 1.3 lets be replaced, for tools that show a container its own limits (lxcfs).
  constexpr std::array<std::string_view, 10> kReplaceable = {"/proc/cpuinfo",
                                                             "/proc/diskstats",
                                                             "/proc/meminfo",
                                                             "/proc/stat",
                                                             "/proc/swaps",
                                                             "/proc/uptime",
                                                             "/proc/loadavg",
                                                             "/proc/slabinfo",
                                                             "/proc/sys/kernel/ns_last_pid",
                                                             "/proc/sys/crypto/fips_enabled"};
  const bool whole = target == "/proc";
  if ((!whole && !target.starts_with("/proc/")) || (whole && source_is_proc) ||
      std::find(kReplaceable.begin(), kReplaceable.end(), target) != kReplaceable.end()) {
    return {};
  }
  return invalid(std::string(kCreatingTask) +
                 "failed to create shim task: OCI runtime create failed: unable to start container "
                 "process: error during container init: error mounting \"" +
                 source + "\" to rootfs at \"" + target + "\": create mountpoint for " + target +
                 " mount: check proc-safety of " + target + " mount: \"" + rootfs + target +
                 "\" cannot be mounted because it is " +
                 (whole ? "not of type proc" : "inside /proc"));
}

}  // namespace flotilla::model
