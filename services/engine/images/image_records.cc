#include "engine/images/image_records.h"

#include <algorithm>
#include <utility>

#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kLayerColumns =
    "l.chain_id, l.parent, l.diff_id, l.blob_hex, l.blob_size, l.tar_size, l.disk_size";

LayerRecord readLayer(const Statement& row, int first) {
  LayerRecord layer;
  layer.chain_id = row.text(first);
  layer.parent = row.text(first + 1);
  layer.diff_id = row.text(first + 2);
  layer.blob_hex = row.text(first + 3);
  layer.blob_size = static_cast<std::uint64_t>(row.integer(first + 4));
  layer.tar_size = static_cast<std::uint64_t>(row.integer(first + 5));
  layer.disk_size = static_cast<std::uint64_t>(row.integer(first + 6));
  return layer;
}

ImageRecord readImage(const Statement& row) {
  return ImageRecord{row.text(0), row.text(1), row.text(2), row.integer(3)};
}

Result<std::vector<NameRecord>> readNames(Statement& rows) {
  std::vector<NameRecord> names;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      break;
    }
    FLO_TRY_ASSIGN(Reference reference, Reference::parse(rows.view(0)));
    names.push_back(NameRecord{std::move(reference), rows.text(1)});
  }
  return names;
}

}  // namespace

std::vector<Migration> imageMigrations() {
  return {{"images", 1, R"sql(
    CREATE TABLE images(
      id TEXT PRIMARY KEY, config TEXT NOT NULL, parent TEXT NOT NULL, last_tag_ns INTEGER NOT NULL,
      held INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX images_by_parent ON images(parent);
    CREATE TABLE layers(
      chain_id TEXT PRIMARY KEY, parent TEXT NOT NULL, diff_id TEXT NOT NULL, blob_hex TEXT NOT NULL,
      blob_size INTEGER NOT NULL, tar_size INTEGER NOT NULL, disk_size INTEGER NOT NULL);
    CREATE INDEX layers_by_blob ON layers(blob_hex);
    CREATE TABLE image_layers(
      image_id TEXT NOT NULL, position INTEGER NOT NULL, chain_id TEXT NOT NULL,
      PRIMARY KEY(image_id, position));
    CREATE INDEX image_layers_by_chain ON image_layers(chain_id);
    CREATE TABLE image_names(
      name TEXT PRIMARY KEY, repository TEXT NOT NULL, image_id TEXT NOT NULL);
    CREATE INDEX image_names_by_image ON image_names(image_id);
    CREATE INDEX image_names_by_repository ON image_names(repository);
  )sql"}};
}

Result<std::optional<ImageRecord>> ImageRecords::find(const std::string& id) {
  FLO_TRY_ASSIGN(
      auto row,
      transaction_.prepare(
          "SELECT id, config, parent, last_tag_ns FROM images WHERE id = ? AND held = 0"));
  FLO_TRY_ASSIGN(const bool found, row.bind(id).step());
  return found ? std::optional(readImage(row)) : std::nullopt;
}

Result<std::vector<ImageRecord>> ImageRecords::all() {
  FLO_TRY_ASSIGN(
      auto rows,
      transaction_.prepare(
          "SELECT id, config, parent, last_tag_ns FROM images WHERE held = 0 ORDER BY rowid"));
  std::vector<ImageRecord> images;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return images;
    }
    images.push_back(readImage(rows));
  }
}

Result<std::size_t> ImageRecords::count() {
  FLO_TRY_ASSIGN(auto row, transaction_.prepare("SELECT count(*) FROM images WHERE held = 0"));
  FLO_TRY_ASSIGN(const bool found, row.step());
  return found ? static_cast<std::size_t>(row.integer(0)) : 0;
}

Result<std::vector<std::string>> ImageRecords::texts(std::string_view sql,
                                                     std::string_view argument) {
  FLO_TRY_ASSIGN(auto rows, transaction_.prepare(sql));
  if (!argument.empty()) {
    rows.bind(argument);
  }
  std::vector<std::string> out;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return out;
    }
    out.push_back(rows.text(0));
  }
}

Result<std::vector<std::string>> ImageRecords::byPrefix(std::string_view hex_prefix) {
  FLO_TRY_ASSIGN(
      auto rows,
      transaction_.prepare("SELECT id FROM images WHERE id >= ? AND id < ? AND held = 0 LIMIT 2"));
  const std::string low = "sha256:" + std::string(hex_prefix);
  rows.bind(low).bind(low + "g");  // "g" sorts after every hex digit
  std::vector<std::string> ids;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return ids;
    }
    ids.push_back(rows.text(0));
  }
}

Result<std::optional<std::string>> ImageRecords::idOf(const Reference& reference) {
  FLO_TRY_ASSIGN(auto ids,
                 texts("SELECT image_id FROM image_names WHERE name = ?", reference.canonical()));
  return ids.empty() ? std::nullopt : std::optional(std::move(ids.front()));
}

Result<std::vector<NameRecord>> ImageRecords::namesOf(const std::string& id) {
  FLO_TRY_ASSIGN(auto rows,
                 transaction_.prepare(
                     "SELECT name, image_id FROM image_names WHERE image_id = ? ORDER BY name"));
  rows.bind(id);
  return readNames(rows);
}

Result<std::vector<NameRecord>> ImageRecords::namesIn(const std::string& repository) {
  FLO_TRY_ASSIGN(auto rows,
                 transaction_.prepare(
                     "SELECT name, image_id FROM image_names WHERE repository = ? ORDER BY name"));
  rows.bind(repository);
  return readNames(rows);
}

Result<std::vector<NameRecord>> ImageRecords::allNames() {
  FLO_TRY_ASSIGN(auto rows,
                 transaction_.prepare("SELECT name, image_id FROM image_names ORDER BY name"));
  return readNames(rows);
}

Result<std::vector<std::string>> ImageRecords::childrenOf(const std::string& id) {
  return texts("SELECT id FROM images WHERE parent = ? AND held = 0", id);
}

Result<std::optional<LayerRecord>> ImageRecords::findLayer(const std::string& chain_id) {
  FLO_TRY_ASSIGN(auto row, transaction_.prepare("SELECT " + std::string(kLayerColumns) +
                                                " FROM layers l WHERE l.chain_id = ?"));
  FLO_TRY_ASSIGN(const bool found, row.bind(chain_id).step());
  return found ? std::optional(readLayer(row, 0)) : std::nullopt;
}

Result<std::optional<LayerRecord>> ImageRecords::findLayerOfBlob(const std::string& blob_hex) {
  FLO_TRY_ASSIGN(auto row, transaction_.prepare("SELECT " + std::string(kLayerColumns) +
                                                " FROM layers l WHERE l.blob_hex = ? LIMIT 1"));
  FLO_TRY_ASSIGN(const bool found, row.bind(blob_hex).step());
  return found ? std::optional(readLayer(row, 0)) : std::nullopt;
}

Result<std::vector<LayerRecord>> ImageRecords::layersOf(const std::string& image_id) {
  FLO_TRY_ASSIGN(auto rows, transaction_.prepare(
                                "SELECT " + std::string(kLayerColumns) +
                                " FROM image_layers i JOIN layers l ON l.chain_id = i.chain_id"
                                " WHERE i.image_id = ? ORDER BY i.position"));
  rows.bind(image_id);
  std::vector<LayerRecord> layers;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return layers;
    }
    layers.push_back(readLayer(rows, 0));
  }
}

Result<std::vector<std::pair<std::string, LayerRecord>>> ImageRecords::allImageLayers() {
  FLO_TRY_ASSIGN(auto rows, transaction_.prepare(
                                "SELECT i.image_id, " + std::string(kLayerColumns) +
                                " FROM image_layers i JOIN layers l ON l.chain_id = i.chain_id"
                                " JOIN images m ON m.id = i.image_id AND m.held = 0"
                                " ORDER BY i.image_id, i.position"));
  std::vector<std::pair<std::string, LayerRecord>> layers;
  for (;;) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return layers;
    }
    layers.emplace_back(rows.text(0), readLayer(rows, 1));
  }
}

Result<bool> ImageRecords::hasBlob(const std::string& blob_hex) {
  FLO_TRY_ASSIGN(const auto found,
                 texts("SELECT 1 FROM layers WHERE blob_hex = ? LIMIT 1", blob_hex));
  return !found.empty();
}

Result<void> ImageRecords::addLayer(const LayerRecord& layer) {
  FLO_TRY_ASSIGN(auto insert,
                 transaction_.prepare("INSERT OR IGNORE INTO layers VALUES(?, ?, ?, ?, ?, ?, ?)"));
  return insert.bind(layer.chain_id)
      .bind(layer.parent)
      .bind(layer.diff_id)
      .bind(layer.blob_hex)
      .bind(static_cast<std::int64_t>(layer.blob_size))
      .bind(static_cast<std::int64_t>(layer.tar_size))
      .bind(static_cast<std::int64_t>(layer.disk_size))
      .run();
}

Result<void> ImageRecords::addImage(const ImageRecord& image,
                                    const std::vector<std::string>& chain_ids) {
  FLO_TRY_ASSIGN(
      auto insert,
      transaction_.prepare("INSERT INTO images VALUES(?, ?, ?, ?, 0)"
                           " ON CONFLICT(id) DO UPDATE SET held = 0, parent = CASE"
                           " WHEN excluded.parent = '' THEN parent ELSE excluded.parent END"));
  FLO_TRY(
      insert.bind(image.id).bind(image.config).bind(image.parent).bind(image.last_tag_ns).run());
  for (std::size_t i = 0; i < chain_ids.size(); ++i) {
    FLO_TRY_ASSIGN(auto link,
                   transaction_.prepare("INSERT OR IGNORE INTO image_layers VALUES(?, ?, ?)"));
    FLO_TRY(link.bind(image.id).bind(static_cast<std::int64_t>(i)).bind(chain_ids[i]).run());
  }
  return {};
}

Result<void> ImageRecords::setLastTag(const std::string& id, std::int64_t time_ns) {
  FLO_TRY_ASSIGN(auto update,
                 transaction_.prepare("UPDATE images SET last_tag_ns = ? WHERE id = ?"));
  return update.bind(time_ns).bind(id).run();
}

Result<void> ImageRecords::setName(const Reference& reference, const std::string& id) {
  FLO_TRY_ASSIGN(auto insert, transaction_.prepare(
                                  "INSERT INTO image_names VALUES(?, ?, ?)"
                                  " ON CONFLICT(name) DO UPDATE SET image_id = excluded.image_id"));
  return insert.bind(reference.canonical()).bind(reference.name()).bind(id).run();
}

Result<void> ImageRecords::removeName(const Reference& reference) {
  FLO_TRY_ASSIGN(auto remove, transaction_.prepare("DELETE FROM image_names WHERE name = ?"));
  return remove.bind(reference.canonical()).run();
}

Result<void> ImageRecords::hold(const std::string& id) {
  FLO_TRY_ASSIGN(auto names, transaction_.prepare("DELETE FROM image_names WHERE image_id = ?"));
  FLO_TRY(names.bind(id).run());
  FLO_TRY_ASSIGN(auto update,
                 transaction_.prepare("UPDATE images SET held = 1, parent = '' WHERE id = ?"));
  return update.bind(id).run();
}

Result<std::vector<std::string>> ImageRecords::held() {
  return texts("SELECT id FROM images WHERE held = 1", "");
}

Result<Garbage> ImageRecords::collect(const std::string& held_id) {
  FLO_TRY_ASSIGN(auto layers, layersOf(held_id));
  FLO_TRY_ASSIGN(auto unlink, transaction_.prepare("DELETE FROM image_layers WHERE image_id = ?"));
  FLO_TRY(unlink.bind(held_id).run());
  FLO_TRY_ASSIGN(auto remove, transaction_.prepare("DELETE FROM images WHERE id = ? AND held = 1"));
  FLO_TRY(remove.bind(held_id).run());
  Garbage garbage;
  std::reverse(layers.begin(), layers.end());
  for (LayerRecord& layer : layers) {
    FLO_TRY_ASSIGN(auto drop,
                   transaction_.prepare("DELETE FROM layers WHERE chain_id = ?1 AND NOT EXISTS("
                                        "SELECT 1 FROM image_layers WHERE chain_id = ?1)"));
    FLO_TRY(drop.bind(layer.chain_id).run());
    if (transaction_.changes() == 0) {
      continue;
    }
    FLO_TRY_ASSIGN(const bool shared, hasBlob(layer.blob_hex));
    if (!shared) {
      garbage.blob_hexes.push_back(layer.blob_hex);
    }
    garbage.layers.push_back(std::move(layer));
  }
  return garbage;
}

Result<std::set<std::string>> ImageRecords::knownChainHexes() {
  FLO_TRY_ASSIGN(const auto ids, texts("SELECT chain_id FROM layers", ""));
  std::set<std::string> hexes;
  for (const std::string& id : ids) {
    hexes.insert(std::string(digestHex(id)));
  }
  return hexes;
}

Result<std::set<std::string>> ImageRecords::knownBlobHexes() {
  FLO_TRY_ASSIGN(const auto hexes, texts("SELECT blob_hex FROM layers", ""));
  return std::set<std::string>(hexes.begin(), hexes.end());
}

}  // namespace flotilla::engine
