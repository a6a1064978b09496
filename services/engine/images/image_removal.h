#pragma once

#include <string>
#include <vector>

#include "engine/images/image_context.h"

namespace flotilla::engine {

/// One line of `docker rmi`.
struct RemovalLine {
  enum class Kind { Untagged, Deleted } kind = Kind::Untagged;
  std::string what;
};

struct RemovalOptions {
  bool force = false;
  bool prune_parents = true;  // parents without name, container or other child go too
};

/// DELETE /images/{name}, with Docker's rules and words. Files go after the commit.
/// Errors: NotFound, InvalidArgument, Conflict ("conflict: unable to ...").
Result<std::vector<RemovalLine>> removeImage(ImageContext& context, const std::string& name,
                                             const RemovalOptions& options);

/// Removes what is left of images that were removed while containers used them, once those are
/// gone. Cheap when there are none. After a container's removal and at start-up.
Result<void> collectHeldImages(ImageContext& context);

}  // namespace flotilla::engine
