#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "engine/images/image_files.h"
#include "engine/images/image_records.h"
#include "engine/store/database.h"
#include "engine/store/event_log.h"

namespace flotilla::engine {

/// A container that was made from an image.
struct ContainerUse {
  std::string id;
  std::string image_id;
  bool running = false;
};

/// Containers made from the image with this id, all containers for "". Asked inside the transaction
/// that acts on the answer, so that no container is created in between.
using ContainersOfImage =
    std::function<Result<std::vector<ContainerUse>>(Transaction&, const std::string& image_id)>;

/// What every operation on images works with. Outlives them; thread-safe as its parts are.
struct ImageContext {
  Database& database;
  EventLog& events;
  ImageFiles files;
  std::string unpack_program;  // path of flotilla-unpack
  ContainersOfImage containers;
  std::string architecture;  // of this host, in Go's words: "amd64", "arm64"
  std::string version;       // goes into configs that this engine writes ("docker_version")
};

/// The id of what a user calls an image: a name, an id, or an unambiguous prefix of an id.
/// Errors: NotFound "No such image: <ref>", InvalidArgument for what cannot be a reference.
Result<std::string> findImageId(ImageRecords& records, std::string_view name);

/// Whether `name` is an id, or a prefix of it, rather than a name.
bool isIdPrefix(const std::string& image_id, std::string_view name);

/// Appends an image event as Docker writes it: `name` and the image's labels as attributes.
Result<void> appendImageEvent(ImageContext& context, Transaction& transaction,
                              const std::string& action, const ImageRecord& image,
                              const std::string& name);
/// The same for an image whose record is gone: without labels.
Result<void> appendDeletedImageEvent(ImageContext& context, Transaction& transaction,
                                     const std::string& id);

/// "linux" and this machine's architecture in Go's words.
std::string hostArchitecture();

/// First twelve digits, as Docker abbreviates ids in messages.
std::string shortId(std::string_view id);

}  // namespace flotilla::engine
