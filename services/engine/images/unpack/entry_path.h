#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine::unpack {

/// An entry's place below the layer's root.
struct EntryPath {
  std::string parent;  // "" for the root, else "a/b"
  std::string name;    // "" when the entry is the root itself
};

/// Checks and splits an archive entry's name: "./a//b/" is parent "a", name "b".
/// Errors: InvalidArgument `invalid entry name "<name>"` when it is absolute, has a ".." part, a
/// NUL, or is longer than the system can open.
Result<EntryPath> parseEntryPath(std::string_view name);

/// The same rules for what a hard link names, with Docker's word for it.
Result<EntryPath> parseLinkTarget(std::string_view target);

/// What a layer's entry says about the layers below (OCI image spec, "whiteouts").
enum class Whiteout { None, Hide, Opaque, Ignore };
struct WhiteoutPlan {
  Whiteout kind = Whiteout::None;
  std::string hidden;  // the name that Hide covers
};
/// By the last part of an entry's name. Errors: InvalidArgument for ".wh." hiding "", "." or "..".
Result<WhiteoutPlan> planWhiteout(std::string_view name);

}  // namespace flotilla::engine::unpack
