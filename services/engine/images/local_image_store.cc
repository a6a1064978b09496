#include "engine/images/local_image_store.h"

#include <utility>

#include "engine/images/image_document.h"
#include "engine/images/image_removal.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxResolved = 512;

Result<ResolvedImage> decode(const ImageRecord& record) {
  FLO_TRY_ASSIGN(const ImageDocument document, ImageDocument::parse(record.config));
  ResolvedImage image;
  image.id = record.id;
  image.architecture = document.architecture;
  image.os = document.os;
  image.variant = document.variant;
  image.config = document.containerDefaults();
  image.chain_ids = document.chainIds();
  return image;
}

}  // namespace

Result<std::unique_ptr<LocalImageStore>> LocalImageStore::create(Options options,
                                                                 Database& database,
                                                                 EventLog& events) {
  std::unique_ptr<LocalImageStore> store(new LocalImageStore(
      ImageContext{database, events, ImageFiles(options.paths), std::move(options.unpack_program),
                   std::move(options.containers), hostArchitecture(), std::move(options.version)}));
  FLO_TRY(store->context_.files.prepare());
  FLO_TRY(store->sweep());
  FLO_TRY(collectHeldImages(store->context_));
  return store;
}

Result<void> LocalImageStore::sweep() {
  FLO_TRY_ASSIGN(const UniqueFd lock, context_.files.lockExclusive());
  std::set<std::string> blobs;
  std::set<std::string> chains;
  FLO_TRY(context_.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    FLO_TRY_ASSIGN(blobs, records.knownBlobHexes());
    FLO_TRY_ASSIGN(chains, records.knownChainHexes());
    return {};
  }));
  return context_.files.sweep(blobs, chains);
}

Result<ResolvedImage> LocalImageStore::resolve(std::string_view reference) {
  std::shared_ptr<const ResolvedImage> cached;
  std::optional<ImageRecord> record;
  FLO_TRY(context_.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    FLO_TRY_ASSIGN(const std::string id, findImageId(records, reference));
    {
      const MutexLock lock(mutex_);
      if (const auto known = resolved_.find(id); known != resolved_.end()) {
        cached = known->second;
        return {};
      }
    }
    FLO_TRY_ASSIGN(record, records.find(id));
    return {};
  }));
  if (cached) {
    return *cached;
  }
  if (!record) {
    return Error{ErrorKind::NotFound, "No such image: " + std::string(reference)};
  }
  FLO_TRY_ASSIGN(ResolvedImage image, decode(*record));
  auto shared = std::make_shared<const ResolvedImage>(std::move(image));
  const MutexLock lock(mutex_);
  if (resolved_.size() >= kMaxResolved) {
    resolved_.clear();
  }
  resolved_[shared->id] = shared;
  return *shared;
}

Result<std::vector<std::string>> LocalImageStore::lowerDirs(
    const std::vector<std::string>& chain_ids) {
  std::vector<std::string> names;
  for (auto chain = chain_ids.rbegin(); chain != chain_ids.rend(); ++chain) {
    if (!isSha256Digest(*chain)) {
      return Error{ErrorKind::Internal, "not a chain ID: " + *chain};
    }
    names.push_back(ImageFiles::shortName(std::string(digestHex(*chain))));
  }
  return names;
}

Result<std::uint64_t> LocalImageStore::diskSize(const std::vector<std::string>& chain_ids) {
  std::uint64_t bytes = 0;
  FLO_TRY(context_.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    for (const std::string& chain : chain_ids) {
      FLO_TRY_ASSIGN(const auto layer, records.findLayer(chain));
      bytes += layer ? layer->disk_size : 0;
    }
    return {};
  }));
  return bytes;
}

Result<void> LocalImageStore::requireImage(Transaction& transaction, const std::string& image_id) {
  FLO_TRY_ASSIGN(const auto image, ImageRecords(transaction).find(image_id));
  return image ? Result<void>{} : Error{ErrorKind::NotFound, "No such image: " + image_id};
}

}  // namespace flotilla::engine
