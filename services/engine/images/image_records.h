#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "engine/images/reference.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// The schema of images: pass these to Database::open with the other modules'.
std::vector<Migration> imageMigrations();

struct ImageRecord {
  std::string id;                // "sha256:<hex>" of `config`
  std::string config;            // the JSON document, byte for byte
  std::string parent;            // id of the image this one was built upon, "" when unknown
  std::int64_t last_tag_ns = 0;  // 0: never tagged by a user
};

struct LayerRecord {
  std::string chain_id, parent, diff_id;  // parent: chain ID, "" for the lowest
  std::string blob_hex;                   // file in blobs/ that holds the tar, as it arrived
  std::uint64_t blob_size = 0;
  std::uint64_t tar_size = 0;   // uncompressed
  std::uint64_t disk_size = 0;  // as Docker counts
};

struct NameRecord {
  Reference reference;
  std::string image_id;
};

/// What a removal left without a user.
struct Garbage {
  std::vector<LayerRecord> layers;  // topmost first
  std::vector<std::string> blob_hexes;
};

/// Rows of images, their names and layers inside one transaction. An image that is removed while
/// containers use it stays as a "held" row without names, invisible to every query here but
/// collect(). One thread, as its transaction.
class ImageRecords {
 public:
  explicit ImageRecords(Transaction& transaction) : transaction_(transaction) {}

  Result<std::optional<ImageRecord>> find(const std::string& id);
  Result<std::vector<ImageRecord>> all();
  Result<std::size_t> count();
  /// Ids that begin with `hex_prefix` (after "sha256:"), at most two.
  Result<std::vector<std::string>> byPrefix(std::string_view hex_prefix);
  Result<std::optional<std::string>> idOf(const Reference& reference);
  /// Sorted as Docker sorts them: by text.
  Result<std::vector<NameRecord>> namesOf(const std::string& id);
  Result<std::vector<NameRecord>> namesIn(const std::string& repository);
  Result<std::vector<NameRecord>> allNames();
  Result<std::vector<std::string>> childrenOf(const std::string& id);

  Result<std::optional<LayerRecord>> findLayer(const std::string& chain_id);
  Result<std::vector<LayerRecord>> layersOf(const std::string& image_id);  // lowest first
  Result<std::vector<std::pair<std::string, LayerRecord>>> allImageLayers();
  Result<std::optional<LayerRecord>> findLayerOfBlob(const std::string& blob_hex);
  Result<bool> hasBlob(const std::string& blob_hex);

  /// Existing ones are kept.
  Result<void> addLayer(const LayerRecord& layer);
  Result<void> addImage(const ImageRecord& image, const std::vector<std::string>& chain_ids);
  Result<void> setLastTag(const std::string& id, std::int64_t time_ns);
  /// Moves the name if another image has it.
  Result<void> setName(const Reference& reference, const std::string& id);
  Result<void> removeName(const Reference& reference);
  /// The image disappears from every query; its layers wait for collect().
  Result<void> hold(const std::string& id);

  Result<std::vector<std::string>> held();
  /// Deletes a held image's row and all layer rows that no image needs any more.
  Result<Garbage> collect(const std::string& held_id);

  Result<std::set<std::string>> knownChainHexes();
  Result<std::set<std::string>> knownBlobHexes();

 private:
  Result<std::vector<std::string>> texts(std::string_view sql, std::string_view argument);
  Transaction& transaction_;
};

}  // namespace flotilla::engine
