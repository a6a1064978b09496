#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/images/image_context.h"
#include "engine/images/image_stream.h"
#include "engine/images/reference.h"

namespace flotilla::engine {

/// A checked POST /images/create?fromSrc=-.
struct ImportRequest {
  std::optional<Reference> tag;
  std::string message;
  std::string created;                               // RFC 3339, "" = now
  nlohmann::json config = nlohmann::json::object();  // changes applied
  std::string architecture, variant;
};

struct ImportParameters {  // as in the query
  std::string repo, tag, message, platform, created;
  std::vector<std::string> changes;
};

/// Errors: InvalidArgument in Docker's words.
Result<ImportRequest> checkImport(const ImportParameters& parameters,
                                  const std::string& host_architecture);

/// Makes an image of one layer from a tar stream (plain or compressed). On return it is on disk;
/// the stream has got {"status":"<id>"}.
/// Errors: InvalidArgument (the archive is at fault), Internal, Unavailable, DeadlineExceeded.
Result<void> importImage(ImageContext& context, ImageStream& stream, const ImportRequest& request);

/// Errors: NotFound, InvalidArgument.
Result<void> tagImage(ImageContext& context, const std::string& name, const Reference& tag);

}  // namespace flotilla::engine
