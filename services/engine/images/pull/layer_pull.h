#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "common/os/mutex.h"
#include "engine/images/image_document.h"
#include "engine/images/layer_intake.h"
#include "engine/images/pull/download_slots.h"
#include "engine/images/pull/manifest.h"
#include "engine/images/pull/pull_progress.h"
#include "engine/images/pull/registry_source.h"

namespace flotilla::engine {

struct LayerPullParts {
  ImageContext& images;
  RegistrySource& registry;
  DownloadSlots& slots;
  Workspace& workspace;
  PullProgress& progress;
  RegistryCaller caller;
  std::function<bool()> cancelled;
  int attempts = 5;
};

/// The layers of one image on their way into a workspace: several are downloaded at a time, each is
/// unpacked while it comes in, and counts only once its digest is right.
class LayerPull {
 public:
  explicit LayerPull(LayerPullParts parts) : parts_(std::move(parts)) {}

  /// One file per layer, unpacked, for LayerCommit; null for those whose chain is known already.
  /// The files live as long as this object. Errors: what the first layer that failed says.
  Result<std::vector<IncomingFile*>> run(const ImageDocument& document,
                                         const std::vector<Descriptor>& layers);

 private:
  enum class Source { Known, Stored, Remote };
  struct Layer {
    Descriptor descriptor;
    std::string id;  // as progress lines abbreviate it
    Source source = Source::Remote;
    std::optional<LayerIntake> intake = {};
    IncomingFile* file = nullptr;
    IncomingFile stored = {};
  };

  Result<void> plan(const ImageDocument& document, const std::vector<Descriptor>& layers);
  void work();
  Result<void> obtain(Layer& layer);
  Result<void> download(Layer& layer);
  Result<void> tryDownload(Layer& layer, BarPacer& pacer);
  bool waitToRetry(const Layer& layer, int attempt) const;
  void fail(Error error);
  [[nodiscard]] bool stopped() const { return failed_ || parts_.cancelled(); }

  LayerPullParts parts_;
  std::list<Layer> layers_;    // each digest once
  std::vector<Layer*> order_;  // as in the manifest
  std::vector<Layer*> remote_;
  std::atomic<std::size_t> next_ = 0;  // of remote_
  std::atomic<bool> failed_ = false;
  Mutex mutex_;
  std::optional<Error> error_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::engine
