#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/mutex.h"
#include "engine/images/image_context.h"
#include "engine/images/image_store.h"

namespace flotilla::engine {

/// The images of one engine, on its disk and in its database. The operations on images
/// (image_load.h, image_save.h, image_import.h, image_queries.h, image_removal.h) work on its
/// context(). Thread-safe.
class LocalImageStore : public ImageSource {
 public:
  struct Options {
    Paths paths;
    std::string unpack_program;    // path of flotilla-unpack
    std::string version;           // of this engine
    ContainersOfImage containers;  // empty: no container ever uses an image
  };

  /// Makes the directories and removes what a crash left behind. The database has
  /// imageMigrations(). Errors: Internal.
  static Result<std::unique_ptr<LocalImageStore>> create(Options options, Database& database,
                                                         EventLog& events);

  Result<ResolvedImage> resolve(std::string_view reference) override;
  Result<std::vector<std::string>> lowerDirs(const std::vector<std::string>& chain_ids) override;
  Result<std::uint64_t> diskSize(const std::vector<std::string>& chain_ids) override;
  [[nodiscard]] std::string linkDir() const override { return context_.files.paths().links(); }

  /// Inside the transaction that makes a container: whether its image is still there.
  /// Errors: NotFound.
  static Result<void> requireImage(Transaction& transaction, const std::string& image_id);

  [[nodiscard]] ImageContext& context() { return context_; }

 private:
  explicit LocalImageStore(ImageContext context) : context_(std::move(context)) {}
  Result<void> sweep();

  ImageContext context_;
  Mutex mutex_;
  // Content never changes under an id, so what was decoded once stays right.
  std::map<std::string, std::shared_ptr<const ResolvedImage>> resolved_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::engine
