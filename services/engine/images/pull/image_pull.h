#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "engine/images/image_context.h"
#include "engine/images/image_stream.h"
#include "engine/images/pull/download_slots.h"
#include "engine/images/pull/platform.h"
#include "engine/images/pull/registry_source.h"

namespace flotilla::engine {

/// What pulls of one engine share. Outlives them.
struct PullContext {
  ImageContext& images;
  RegistrySource& registry;
  DownloadSlots& slots;
  int attempts = 5;                    // at a layer, without a new byte
  std::atomic<bool> stopping = false;  // running pulls give up: the engine ends
};

struct PullParameters {  // as in the query and headers
  std::string from_image, tag, platform, auth;
};

/// A pull whose image was found upstream, ready to say so to its client.
class ImagePull {
 public:
  /// Checks the parameters and asks the registry for the first manifest, so that what fails here
  /// has a status code of its own. Blocks. Errors: in dockerd's words, with its status.
  static Result<ImagePull> prepare(PullContext& context, const PullParameters& parameters);

  /// Pulls, telling the stream. On return the image is on disk, or nothing has changed.
  Result<void> run(ImageStream& client);

 private:
  struct Target {
    Reference reference;  // with a tag or a digest
    std::optional<RegistryManifest> manifest = {};
  };

  explicit ImagePull(PullContext& context) : context_(&context) {}
  Result<void> pullOne(Target& target, class PullProgress& progress, ImageStream& stream,
                       bool& changed);
  [[nodiscard]] Platform wanted() const;
  [[nodiscard]] RegistryCaller callerFor(const Reference& reference) const {
    return {reference, auth_};
  }

  PullContext* context_;
  Reference asked_;  // as the user wrote it
  std::optional<Platform> platform_;
  std::string auth_;
  std::vector<Target> targets_;
};

}  // namespace flotilla::engine
