#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "engine/images/pull/platform.h"

namespace flotilla::engine {

/// A reference by content inside a manifest.
struct Descriptor {
  std::string media_type, digest;
  std::uint64_t size = 0;
  Platform platform;  // in an index
};

/// A manifest of Docker's schema 2 or the OCI: one image, or an index of images. A value.
struct Manifest {
  enum class Kind { Image, Index };
  Kind kind = Kind::Image;
  Descriptor config;               // of an image
  std::vector<Descriptor> layers;  // of an image, lowest first
  std::vector<Descriptor> images;  // of an index

  /// `media_type` is what the registry said. Errors: Internal and InvalidArgument in Docker's
  /// words.
  static Result<Manifest> parse(std::string_view media_type, std::string_view text);

  /// The image of an index for `wanted`. Errors: NotFound "no matching manifest for ...".
  [[nodiscard]] Result<Descriptor> imageFor(const Platform& wanted) const;
};

/// What a client says it understands, in its Accept headers.
const std::vector<std::string>& acceptedManifests();

}  // namespace flotilla::engine
