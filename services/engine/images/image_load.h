#pragma once

#include "engine/images/image_context.h"
#include "engine/images/image_stream.h"

namespace flotilla::engine {

struct LoadOptions {
  bool quiet = false;  // no progress lines
};

/// POST /images/load: reads an image archive from the stream and keeps its images, all or none.
/// On return everything is on disk. The stream has got dockerd's lines for what was loaded; an
/// error is the caller's to report. Nothing is left behind by a load that failed.
/// Errors: InvalidArgument (the archive is at fault), Internal, Unavailable, DeadlineExceeded.
Result<void> loadImages(ImageContext& context, ImageStream& stream, const LoadOptions& options);

}  // namespace flotilla::engine
