#pragma once

#include <string>
#include <string_view>

#include "common/job/job.h"
#include "engine/images/image_context.h"

namespace flotilla::engine {

/// From this API version on images have no VirtualSize.
inline constexpr ApiVersion kNoVirtualSize{1, 44};

/// When an image was made that does not say.
inline constexpr std::string_view kZeroTime = "0001-01-01T00:00:00Z";

struct ImageListOptions {
  bool all = false;  // also images that are only parents of others
  bool shared_size = false;
  std::string filters;  // JSON as in the API; before and since also with RFC 3339 times
};

/// Answers to GET /images/json, /images/{name}/json and /images/{name}/history as JSON texts, in
/// the shape of the client's API version. Each reads one snapshot.
/// Errors: NotFound "No such image: ...", InvalidArgument in Docker's words.
Result<std::string> listImages(ImageContext& context, const ImageListOptions& options,
                               ApiVersion version);
Result<std::string> inspectImage(ImageContext& context, const std::string& name,
                                 ApiVersion version);
Result<std::string> imageHistory(ImageContext& context, const std::string& name);

}  // namespace flotilla::engine
