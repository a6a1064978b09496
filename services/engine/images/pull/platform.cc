#include "engine/images/pull/platform.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <utility>

#include "common/json/json.h"

namespace flotilla::engine {
namespace {

constexpr std::array kSystems = {"linux",  "windows", "darwin", "freebsd",
                                 "netbsd", "openbsd", "solaris"};
constexpr std::array kArchitectures = {"amd64", "arm64",   "arm",      "386",    "ppc64le",
                                       "s390x", "riscv64", "mips64le", "mips64", "loong64"};

bool isComponent(std::string_view part, bool system) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [system](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || (!system && c == '.');
  });
}

Error invalidComponent(std::string_view part, std::string_view whole, bool system) {
  const char* rule =
      system
          ? R"(OSAndVersion specifier component must match "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$")"
          : R"(platform specifier component must match "^[A-Za-z0-9_.-]+$")";
  return Error{ErrorKind::InvalidArgument,
               json::quote(part) + " is an invalid " + (system ? "OS " : "") + "component of " +
                   json::quote(whole) + ": " + rule + ": invalid argument"};
}

template <std::size_t N>
bool isIn(const std::array<const char*, N>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&name](const char* known) { return name == known; });
}

std::vector<std::string> splitParts(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// 7 of "v7", 0 when it is no version.
int versionOf(const std::string& variant) {
  return variant.size() == 2 && variant[0] == 'v' && variant[1] > '0' && variant[1] <= '9'
             ? variant[1] - '0'
             : 0;
}

}  // namespace

Platform Platform::normalised(std::string os, std::string architecture, std::string variant) {
  static const std::map<std::string, std::string, std::less<>> kOtherNames = {
      {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}, {"i386", "386"},
      {"i686", "386"},     {"armhf", "arm"},    {"armel", "arm"}};
  const auto lower = [](std::string& text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  };
  lower(os);
  lower(architecture);
  lower(variant);
  if (architecture == "armel") {
    variant = "v6";
  }
  if (const auto other = kOtherNames.find(architecture); other != kOtherNames.end()) {
    architecture = other->second;
  }
  if (variant.size() == 1 && versionOf("v" + variant) != 0) {
    variant.insert(0, "v");
  }
  if ((architecture == "arm64" && variant == "v8") ||
      (architecture == "amd64" && variant == "v1")) {
    variant.clear();
  } else if (architecture == "arm" && variant.empty()) {
    variant = "v7";
  }
  return {os == "macos" ? "darwin" : std::move(os), std::move(architecture), std::move(variant)};
}

Result<Platform> Platform::parse(std::string_view text, const Platform& host) {
  const std::vector<std::string> parts = splitParts(text);
  if (parts.size() > 3) {
    return Error{ErrorKind::InvalidArgument,
                 json::quote(text) + ": cannot parse platform specifier: invalid argument"};
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!isComponent(parts[i], i == 0)) {
      return invalidComponent(parts[i], text, i == 0);
    }
  }
  if (parts.size() > 1) {
    return normalised(parts[0], parts[1], parts.size() > 2 ? parts[2] : "");
  }
  Platform alone = normalised(parts[0], "", "");
  if (isIn(kSystems, alone.os)) {
    return Platform{alone.os, host.architecture, host.variant};
  }
  alone = normalised(host.os, parts[0], "");
  if (!isIn(kArchitectures, alone.architecture)) {
    return Error{
        ErrorKind::InvalidArgument,
        json::quote(text) + ": unknown operating system or architecture: invalid argument"};
  }
  return alone;
}

std::string Platform::text() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

int platformMatch(const Platform& wanted, const Platform& offered) {
  if (wanted.os != offered.os || wanted.architecture != offered.architecture) {
    return 0;
  }
  if (wanted.variant == offered.variant) {
    return 100;
  }
  // An older variant of the same family runs too; the newest of those is best.
  const int base = wanted.architecture == "arm64" ? 8 : wanted.architecture == "arm" ? 5 : 1;
  const int most = versionOf(wanted.variant) != 0 ? versionOf(wanted.variant) : base;
  const int have = versionOf(offered.variant) != 0 ? versionOf(offered.variant) : base;
  return have <= most ? have : 0;
}

}  // namespace flotilla::engine
