#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/images/archive_input.h"
#include "engine/images/reference.h"

namespace flotilla::engine {

/// One image of an archive: what to take from which of its files.
struct ImagePlan {
  std::string config;                    // the document itself
  std::vector<std::string> layer_files;  // names in the archive, lowest first
  std::vector<Reference> tags;
  std::string parent;  // id, "" when not said
};

/// The images of an archive that was read: by manifest.json (`docker save`), else by index.json
/// (OCI layout; of an index of platforms the one of this host).
/// Errors: InvalidArgument.
Result<std::vector<ImagePlan>> planImages(ArchiveInput& archive, const std::string& architecture);

}  // namespace flotilla::engine
