#include "engine/images/image_commit.h"

#include <unistd.h>

#include <utility>

namespace flotilla::engine {
namespace {

Result<bool> isKnown(ImageContext& context, const std::string& chain_id) {
  bool known = false;
  FLO_TRY(context.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(const auto layer, ImageRecords(transaction).findLayer(chain_id));
    known = layer.has_value();
    return {};
  }));
  return known;
}

}  // namespace

Result<void> LayerCommit::stage(const ImageDocument& document,
                                const std::vector<IncomingFile*>& files) {
  const std::vector<std::string> chain = document.chainIds();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    FLO_TRY_ASSIGN(const bool known, isKnown(context_, chain[i]));
    if (known || staged_.contains(chain[i])) {
      continue;
    }
    if (files[i] == nullptr) {
      return Error{ErrorKind::Unavailable, "a layer was removed meanwhile: try again"};
    }
    IncomingFile& file = *files[i];
    FLO_TRY_ASSIGN(Staged staged, file.path.empty() ? stageKnownBlob(file) : stageOne(file));
    if (staged.record.diff_id != document.diff_ids[i]) {
      return Error{ErrorKind::InvalidArgument, "invalid diffID for layer " + std::to_string(i) +
                                                   ": expected \"" + document.diff_ids[i] +
                                                   "\", got \"" + staged.record.diff_id + "\""};
    }
    staged.record.chain_id = chain[i];
    staged.record.parent = i == 0 ? "" : chain[i - 1];
    staged_[chain[i]] = std::move(staged);
  }
  return {};
}

Result<LayerCommit::Staged> LayerCommit::stageOne(IncomingFile& file) {
  FLO_TRY_ASSIGN(const UnpackedLayer layer, file.intake->unpacked(file));
  Staged staged;
  staged.record.diff_id = "sha256:" + (layer.compressed ? layer.diff_hex : file.hex);
  staged.record.blob_hex = file.hex;
  staged.record.blob_size = file.size;
  staged.record.tar_size = layer.tar_size;
  staged.record.disk_size = layer.disk_size;
  staged.blob_file = file.path;
  FLO_TRY_ASSIGN(staged.tree, file.intake->takeTree(file));
  return staged;
}

/// The same bytes under another chain: the layer is unpacked again from the store's blob.
Result<LayerCommit::Staged> LayerCommit::stageKnownBlob(const IncomingFile& file) {
  Staged staged;
  FLO_TRY(context_.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto layer, ImageRecords(transaction).findLayerOfBlob(file.hex));
    if (!layer) {
      return Error{ErrorKind::Unavailable, "a layer was removed meanwhile: try again"};
    }
    staged.record = std::move(*layer);
    return {};
  }));
  FLO_TRY_ASSIGN(staged.tree, intake_.unpackStored(context_.files.blobPath(file.hex)));
  return staged;
}

Result<void> LayerCommit::adopt() {
  for (const auto& [chain_id, staged] : staged_) {
    // Two chains may share a file; the second finds it moved.
    if (!staged.blob_file.empty() && ::access(staged.blob_file.c_str(), F_OK) == 0) {
      FLO_TRY(context_.files.adoptBlob(staged.blob_file, staged.record.blob_hex));
    }
    FLO_TRY(context_.files.adoptLayer(staged.tree, std::string(digestHex(chain_id))));
  }
  return staged_.empty() ? Result<void>{} : context_.files.flushNames();
}

Result<void> LayerCommit::commit(
    const std::function<Result<void>(Transaction&, ImageRecords&)>& records) {
  if (!staged_.empty()) {
    FLO_TRY(context_.files.flush(workspace_));
  }
  FLO_TRY_ASSIGN(const UniqueFd lock, context_.files.lockShared());
  FLO_TRY(adopt());
  return context_.database.write(
      Durability::Durable, [&](Transaction& transaction) -> Result<void> {
        ImageRecords rows(transaction);
        for (const auto& [chain_id, staged] : staged_) {
          if (staged.blob_file.empty()) {
            FLO_TRY_ASSIGN(const bool kept, rows.hasBlob(staged.record.blob_hex));
            if (!kept) {
              return Error{ErrorKind::Unavailable, "a layer was removed meanwhile: try again"};
            }
          }
          FLO_TRY(rows.addLayer(staged.record));
        }
        return records(transaction, rows);
      });
}

Result<void> LayerCommit::addImage(ImageRecords& records, const ImageRecord& image,
                                   const ImageDocument& document) {
  const std::vector<std::string> chain = document.chainIds();
  for (const std::string& chain_id : chain) {
    FLO_TRY_ASSIGN(const auto layer, records.findLayer(chain_id));
    if (!layer) {
      return Error{ErrorKind::Unavailable, "a layer was removed meanwhile: try again"};
    }
  }
  return records.addImage(image, chain);
}

}  // namespace flotilla::engine
