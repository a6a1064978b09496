#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/images/image_context.h"
#include "engine/images/image_document.h"
#include "engine/images/layer_intake.h"

namespace flotilla::engine {

/// New layers on their way into the store: unpacked in the workspace, checked against what the
/// image's config promises, then all made durable and known at once. One thread.
class LayerCommit {
 public:
  LayerCommit(ImageContext& context, LayerIntake& intake, Workspace& workspace)
      : context_(context), intake_(intake), workspace_(workspace) {}

  /// Stages the layers of one image; `files` has one per diff ID. Layers that the store or an
  /// earlier image of this commit has are skipped; only for those a file may be null.
  /// Errors: InvalidArgument `invalid diffID for layer <n>: ...` and the unpacking's.
  Result<void> stage(const ImageDocument& document, const std::vector<IncomingFile*>& files);

  /// Makes the staged layers durable, then runs `records` in the transaction that adds them.
  /// Errors: those of store and `records`; then no record was changed.
  Result<void> commit(const std::function<Result<void>(Transaction&, ImageRecords&)>& records);

  /// Adds an image whose layers are staged or known; inside commit().
  static Result<void> addImage(ImageRecords& records, const ImageRecord& image,
                               const ImageDocument& document);

 private:
  struct Staged {
    LayerRecord record;
    std::string tree;
    std::string blob_file;  // "" when the store has the blob
  };

  Result<Staged> stageOne(IncomingFile& file);
  Result<Staged> stageKnownBlob(const IncomingFile& file);
  Result<void> adopt();

  ImageContext& context_;
  LayerIntake& intake_;
  Workspace& workspace_;
  std::map<std::string, Staged> staged_;  // by chain ID
};

}  // namespace flotilla::engine
