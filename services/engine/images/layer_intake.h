#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/unique_fd.h"
#include "engine/images/image_context.h"
#include "engine/images/sha256.h"
#include "engine/images/unpack_process.h"

namespace flotilla::engine {

class LayerIntake;

/// A file that came in, perhaps a layer that is being unpacked.
struct IncomingFile {
  std::string path;  // in the workspace; "" when the store has this blob already
  std::string hex;   // SHA-256, once ended
  std::uint64_t size = 0;

  LayerIntake* intake = nullptr;  // whose it is; null for a blob that only the store has

  // LayerIntake's own:
  UniqueFd fd;
  Sha256 hash;
  bool may_be_layer = false;
  bool ended = false;
  std::string tree;  // directory with "fs", until somebody takes it
  std::unique_ptr<UnpackProcess> process;
  std::optional<Result<UnpackedLayer>> outcome;
};

/// Takes in files piece by piece: writes and hashes them, and unpacks those that are layers at the
/// same time, several at once, in processes that read behind the writer. One thread.
class LayerIntake {
 public:
  LayerIntake(ImageContext& context, Workspace& workspace, std::function<bool()> cancelled);

  enum class Keep { File, Layer, HashOnly };
  /// The object stays the intake's. Layer: unpack it if a process is free, else when one is.
  Result<IncomingFile*> begin(Keep keep);
  Result<void> append(IncomingFile& file, std::string_view bytes);
  Result<void> end(IncomingFile& file);

  /// Waits until the file is unpacked, starting that now if it is not under way.
  /// Errors: InvalidArgument (its content is at fault), Internal, Unavailable (cancelled).
  Result<UnpackedLayer> unpacked(IncomingFile& file);
  /// Gives away the unpacked tree (a directory with "fs"); unpacks again when it is gone already.
  Result<std::string> takeTree(IncomingFile& file);
  /// Unpacks a blob that the store has.
  Result<std::string> unpackStored(const std::string& blob_path);

 private:
  Result<void> startWaiting();
  Result<void> start(IncomingFile& file);
  Result<std::string> newTree();

  ImageContext& context_;
  Workspace& workspace_;
  std::function<bool()> cancelled_;
  std::list<IncomingFile> files_;
};

}  // namespace flotilla::engine
