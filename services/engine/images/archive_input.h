#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/images/image_stream.h"
#include "engine/images/layer_intake.h"

namespace flotilla::engine {

/// The files of an image archive (`docker load`), read once from a stream. Layers unpack while the
/// archive is still coming in: which file is a layer is guessed from its first bytes, since the
/// manifest comes last. One thread.
class ArchiveInput {
 public:
  struct Options {
    bool progress = false;  // write progress lines to the stream
  };

  ArchiveInput(ImageContext& context, LayerIntake& intake, ImageStream& stream, Options options)
      : context_(context), intake_(intake), stream_(stream), options_(options) {}

  /// Errors: InvalidArgument (bad archive, bad names, wrong digests), those of stream and store.
  Result<void> readAll();

  /// By its name in the archive, through links. Null when absent.
  [[nodiscard]] IncomingFile* find(std::string_view name);
  /// A small text file of the archive. Errors: InvalidArgument when absent or too large.
  Result<std::string> text(std::string_view name);

 private:
  class Reader;
  Result<void> takeFile(Reader& reader, const std::string& name, std::int64_t size);
  Result<LayerIntake::Keep> decideKeep(const std::string& name, std::string_view head);
  Result<void> showProgress(const std::string& name, std::uint64_t current, std::uint64_t total);

  ImageContext& context_;
  LayerIntake& intake_;
  ImageStream& stream_;
  Options options_;
  std::map<std::string, IncomingFile*, std::less<>> files_;
  std::map<std::string, std::string, std::less<>> links_;
  std::chrono::steady_clock::time_point last_progress_;
};

/// "<hex>" of "blobs/sha256/<hex>", "" for other names.
std::string blobHexOf(std::string_view name);

}  // namespace flotilla::engine
