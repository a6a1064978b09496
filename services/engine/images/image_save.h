#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/os/unique_fd.h"
#include "engine/images/image_context.h"
#include "engine/images/image_stream.h"

namespace flotilla::engine {

/// What GET /images/get will send: everything resolved and every file open, so that removals do not
/// disturb it.
struct SavePlan {
  struct Layer {
    LayerRecord record;
    std::shared_ptr<UniqueFd> blob;  // shared by the images that have the layer
  };
  struct Image {
    ImageRecord record;
    std::vector<Reference> tags;  // those asked for
    std::vector<Layer> layers;
  };
  std::vector<Image> images;
};

/// Resolves names as `docker save` does: a bare repository name means all its tags, an id no tag.
/// Records the "save" events. Errors: NotFound in Docker's words, InvalidArgument.
Result<SavePlan> planSave(ImageContext& context, const std::vector<std::string>& names);

/// Writes the archive: an OCI layout that is a docker-archive too (manifest.json, repositories), as
/// dockerd 28 writes. The same images give the same bytes. Layers are sent uncompressed.
/// Errors: Internal, those of the stream.
Result<void> saveImages(const SavePlan& plan, ImageStream& stream);

}  // namespace flotilla::engine
