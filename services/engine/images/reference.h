#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine {

/// A normalised image name: "busybox" is docker.io/library/busybox. A value.
struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // "" when none was given
  std::string digest;  // "sha256:...", "" when none was given

  /// "docker.io/library/busybox"
  [[nodiscard]] std::string name() const { return domain + "/" + path; }
  /// "busybox": as users write it, without tag and digest.
  [[nodiscard]] std::string familiarName() const;
  /// With tag and digest, as Docker prints references.
  [[nodiscard]] std::string familiar() const;
  /// The key of the store's tag table: name and digest, else name and tag.
  [[nodiscard]] std::string canonical() const;
  [[nodiscard]] bool isNameOnly() const { return tag.empty() && digest.empty(); }
  /// With ":latest" where neither tag nor digest was given.
  [[nodiscard]] Reference withDefaultTag() const;

  /// Errors: InvalidArgument in Docker's words ("invalid reference format", "... must be
  /// lowercase").
  static Result<Reference> parse(std::string_view text);
};

/// A reference to tag an image with, from the API's `repo` and `tag` parameters. The tag parameter
/// wins over one inside repo; neither means "latest".
/// Errors: InvalidArgument ("invalid tag format", "cannot import digest reference").
Result<Reference> parseRepoTag(std::string_view repo, std::string_view tag);

/// What a user calls an image: "sha256:<64 hex>" or 64 hex digits are ids, never names.
bool isFullImageId(std::string_view text);

}  // namespace flotilla::engine
