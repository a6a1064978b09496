#include "engine/images/unpack/entry_path.h"

#include <climits>

namespace flotilla::engine::unpack {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kMetaPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 256)) {
    out += (static_cast<unsigned char>(c) < 0x20 || c == '"') ? '?' : c;
  }
  return out + "\"";
}

/// Nothing for a name that may not be used.
Result<EntryPath> split(std::string_view name, std::string_view what) {
  const Error invalid{ErrorKind::InvalidArgument,
                      "invalid " + std::string(what) + " " + quoted(name)};
  if (name.empty() || name.front() == '/' || name.size() >= PATH_MAX ||
      name.find('\0') != std::string_view::npos) {
    return invalid;
  }
  EntryPath path;
  while (!name.empty()) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == ".." || part.size() > NAME_MAX) {
      return invalid;
    }
    if (!path.name.empty()) {
      path.parent += path.parent.empty() ? path.name : "/" + path.name;
    }
    path.name = part;
  }
  return path;
}

}  // namespace

Result<EntryPath> parseEntryPath(std::string_view name) { return split(name, "entry name"); }

Result<EntryPath> parseLinkTarget(std::string_view target) {
  FLO_TRY_ASSIGN(EntryPath path, split(target, "hardlink target"));
  if (path.name.empty()) {
    return Error{ErrorKind::InvalidArgument, "invalid hardlink target " + quoted(target)};
  }
  return path;
}

Result<WhiteoutPlan> planWhiteout(std::string_view name) {
  if (name == kOpaqueMarker) {
    return WhiteoutPlan{Whiteout::Opaque, ""};
  }
  if (name.starts_with(kMetaPrefix)) {
    return WhiteoutPlan{Whiteout::Ignore, ""};  // bookkeeping of aufs
  }
  if (!name.starts_with(kWhiteoutPrefix)) {
    return WhiteoutPlan{};
  }
  const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Error{ErrorKind::InvalidArgument, "invalid whiteout name " + quoted(name)};
  }
  return WhiteoutPlan{Whiteout::Hide, std::string(hidden)};
}

}  // namespace flotilla::engine::unpack
