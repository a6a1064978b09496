#include "engine/images/image_save.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "engine/images/image_document.h"
#include "engine/images/sha256.h"
#include "engine/images/unpack/decompressor.h"

namespace flotilla::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kCopySize = 256 * 1024;
constexpr const char* kLayerType = "application/vnd.oci.image.layer.v1.tar";
constexpr const char* kConfigType = "application/vnd.oci.image.config.v1+json";
constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

std::string jsonText(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string blobPath(std::string_view hex) { return "blobs/sha256/" + std::string(hex); }

/// Image ids with the tags asked for, in the order of the names.
class Selection {
 public:
  explicit Selection(ImageRecords& records) : records_(records) {}

  Result<void> add(const std::string& name) {
    if (isFullImageId(name)) {
      FLO_TRY_ASSIGN(const std::string id, findImageId(records_, name));
      addTag(id, std::nullopt);
      return {};
    }
    FLO_TRY_ASSIGN(const Reference reference, Reference::parse(name));
    if (!reference.isNameOnly() && reference.familiarName() != "sha256") {
      FLO_TRY_ASSIGN(const auto id, records_.idOf(reference));
      if (!id) {
        return Error{ErrorKind::NotFound, "reference does not exist"};
      }
      addTag(*id, reference);
      return {};
    }
    FLO_TRY_ASSIGN(const auto names, records_.namesIn(reference.name()));
    for (const NameRecord& known : names) {
      addTag(known.image_id, known.reference);
    }
    if (names.empty()) {
      auto id = findImageId(records_, name);
      if (!id) {
        return id.error().kind() == ErrorKind::NotFound
                   ? Error{ErrorKind::NotFound, "No such image: " + name}
                   : std::move(id).error();
      }
      addTag(*id, std::nullopt);
    }
    return {};
  }

  std::vector<std::pair<std::string, std::vector<Reference>>> images;

 private:
  void addTag(const std::string& id, const std::optional<Reference>& tag) {
    auto at = std::find_if(images.begin(), images.end(),
                           [&](const auto& image) { return image.first == id; });
    if (at == images.end()) {
      at = images.insert(images.end(), {id, {}});
    }
    if (tag && !tag->tag.empty() &&
        std::none_of(at->second.begin(), at->second.end(), [&](const Reference& known) {
          return known.canonical() == tag->canonical();
        })) {
      at->second.push_back(*tag);
    }
  }

  ImageRecords& records_;
};

struct FreeWriter {
  void operator()(archive* handle) const { archive_write_free(handle); }
};

/// libarchive writing a tar to the client. The first error sticks.
class TarOutput {
 public:
  explicit TarOutput(ImageStream& stream) : stream_(stream), archive_(archive_write_new()) {}

  Result<void> open() {
    archive_write_set_format_pax_restricted(archive_.get());
    archive_write_set_bytes_per_block(archive_.get(), static_cast<int>(kCopySize));
    archive_write_set_bytes_in_last_block(archive_.get(), 1);
    return checked(archive_write_open(archive_.get(), this, nullptr, &TarOutput::onWrite, nullptr));
  }

  Result<void> directory(const std::string& name) { return header(name, AE_IFDIR, 0755, 0, 0); }

  Result<void> startFile(const std::string& name, std::uint64_t size, std::int64_t mtime) {
    return header(name, AE_IFREG, 0644, size, mtime);
  }

  Result<void> data(std::string_view bytes) {
    const la_ssize_t done = archive_write_data(archive_.get(), bytes.data(), bytes.size());
    return checked(done == static_cast<la_ssize_t>(bytes.size()) ? ARCHIVE_OK : ARCHIVE_FATAL);
  }

  Result<void> file(const std::string& name, const std::string& content, std::int64_t mtime) {
    FLO_TRY(startFile(name, content.size(), mtime));
    return data(content);
  }

  Result<void> close() { return checked(archive_write_close(archive_.get())); }

 private:
  static la_ssize_t onWrite(archive* handle, void* self, const void* buffer, std::size_t size) {
    auto& me = *static_cast<TarOutput*>(self);
    auto written = me.stream_.write(std::string_view(static_cast<const char*>(buffer), size));
    if (!written) {
      me.stream_error_ = std::move(written).error();
      archive_set_error(handle, EIO, "stream failed");
      return -1;
    }
    return static_cast<la_ssize_t>(size);
  }

  Result<void> header(const std::string& name, unsigned type, mode_t mode, std::uint64_t size,
                      std::int64_t mtime) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry, mtime, 0);
    const int status = archive_write_header(archive_.get(), entry);
    archive_entry_free(entry);
    return checked(status);
  }

  Result<void> checked(int status) {
    if (status >= ARCHIVE_WARN) {
      return {};
    }
    if (stream_error_) {
      return *stream_error_;
    }
    const char* text = archive_error_string(archive_.get());
    return Error{ErrorKind::Internal,
                 std::string("write the archive: ") + (text != nullptr ? text : "")};
  }

  ImageStream& stream_;
  std::unique_ptr<archive, FreeWriter> archive_;
  std::optional<Error> stream_error_;
};

/// A file of the archive that is not a layer, or a layer to be copied.
struct Content {
  std::string text;
  const SavePlan::Layer* layer = nullptr;
  std::int64_t mtime = 0;
};

OrderedJson descriptor(const char* type, const std::string& digest, std::uint64_t size) {
  return OrderedJson{{"mediaType", type}, {"digest", digest}, {"size", size}};
}

/// Collects blobs by name (sorted, as the archive lists them) and the documents that name them.
class Layout {
 public:
  Result<void> add(const SavePlan::Image& image) {
    FLO_TRY_ASSIGN(const ImageDocument document, ImageDocument::parse(image.record.config));
    const std::int64_t mtime =
        std::max<std::int64_t>(document.created_ns.value_or(0) / 1'000'000'000, 0);
    const std::string config_name = blobPath(digestHex(image.record.id));
    blobs[config_name] = Content{image.record.config, nullptr, mtime};
    OrderedJson layers = OrderedJson::array();
    OrderedJson names = OrderedJson::array();
    std::map<std::string, OrderedJson> sources;
    for (const SavePlan::Layer& layer : image.layers) {
      const std::string name = blobPath(digestHex(layer.record.diff_id));
      blobs[name] = Content{"", &layer, mtime};
      names.push_back(name);
      layers.push_back(OrderedJson{{"mediaType", kLayerType},
                                   {"digest", layer.record.diff_id},
                                   {"size", layer.record.tar_size}});
      sources[layer.record.diff_id] = OrderedJson{{"mediaType", kLayerType},
                                                  {"size", layer.record.tar_size},
                                                  {"digest", layer.record.diff_id}};
    }
    addManifest(image, layers);
    addItem(image, config_name, names, sources);
    return {};
  }

  std::map<std::string, Content> blobs;
  OrderedJson index = OrderedJson::array();
  OrderedJson items = OrderedJson::array();
  std::map<std::string, std::map<std::string, std::string>> repositories;

 private:
  void addManifest(const SavePlan::Image& image, const OrderedJson& layers) {
    const OrderedJson manifest{
        {"schemaVersion", 2},
        {"mediaType", kManifestType},
        {"config", descriptor(kConfigType, image.record.id, image.record.config.size())},
        {"layers", layers}};
    const std::string text = jsonText(manifest);
    const std::string digest = "sha256:" + sha256Hex(text);
    blobs[blobPath(digestHex(digest))] = Content{text, nullptr, 0};
    OrderedJson entry = descriptor(kManifestType, digest, text.size());
    if (image.tags.empty()) {
      index.push_back(entry);
    }
    for (const Reference& tag : image.tags) {
      entry["annotations"] = OrderedJson{{"io.containerd.image.name", tag.name() + ":" + tag.tag},
                                         {"org.opencontainers.image.ref.name", tag.tag}};
      index.push_back(entry);
    }
  }

  void addItem(const SavePlan::Image& image, const std::string& config_name,
               const OrderedJson& names, const std::map<std::string, OrderedJson>& sources) {
    OrderedJson item{{"Config", config_name}, {"RepoTags", nullptr}, {"Layers", names}};
    for (const Reference& tag : image.tags) {
      item["RepoTags"].push_back(tag.familiar());
      if (!image.layers.empty()) {
        repositories[tag.familiarName()][tag.tag] = digestHex(image.layers.back().record.diff_id);
      }
    }
    if (!sources.empty()) {
      item["LayerSources"] = OrderedJson(sources);
    }
    items.push_back(std::move(item));
  }
};

Result<void> copyLayer(const SavePlan::Layer& layer, TarOutput& out) {
  const int fd = layer.blob->get();
  std::string head(16, '\0');
  const ssize_t peeked = ::pread(fd, head.data(), head.size(), 0);
  head.resize(peeked > 0 ? static_cast<std::size_t>(peeked) : 0);
  off_t offset = 0;
  FLO_TRY_ASSIGN(const auto source,
                 unpack::Decompressor::create(
                     unpack::sniffCompression(head),
                     [fd, &offset](char* buffer, std::size_t size) -> Result<std::size_t> {
                       const ssize_t got = ::pread(fd, buffer, size, offset);
                       if (got < 0) {
                         return sysError("read a layer", errno);
                       }
                       offset += got;
                       return static_cast<std::size_t>(got);
                     }));
  std::string buffer(kCopySize, '\0');
  std::uint64_t copied = 0;
  for (;;) {
    FLO_TRY_ASSIGN(const std::size_t got, source->read(buffer.data(), buffer.size()));
    if (got == 0) {
      break;
    }
    copied += got;
    FLO_TRY(out.data(std::string_view(buffer.data(), got)));
  }
  if (copied != layer.record.tar_size) {
    return Error{ErrorKind::Internal, "layer " + layer.record.diff_id + " is damaged in the store"};
  }
  return {};
}

}  // namespace

Result<SavePlan> planSave(ImageContext& context, const std::vector<std::string>& names) {
  SavePlan plan;
  FLO_TRY_ASSIGN(const UniqueFd lock, context.files.lockShared());
  FLO_TRY(
      context.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
        ImageRecords records(transaction);
        Selection selection(records);
        for (const std::string& name : names) {
          FLO_TRY(selection.add(name));
        }
        plan.images.clear();
        for (auto& [id, tags] : selection.images) {
          FLO_TRY_ASSIGN(auto record, records.find(id));
          if (!record) {
            return Error{ErrorKind::NotFound, "No such image: " + id};
          }
          FLO_TRY_ASSIGN(const auto layers, records.layersOf(id));
          SavePlan::Image image{std::move(*record), std::move(tags), {}};
          for (const LayerRecord& layer : layers) {
            image.layers.push_back({layer, nullptr});
          }
          FLO_TRY(appendImageEvent(context, transaction, "save", image.record, id));
          plan.images.push_back(std::move(image));
        }
        return {};
      }));
  std::map<std::string, std::shared_ptr<UniqueFd>> open;
  for (SavePlan::Image& image : plan.images) {
    for (SavePlan::Layer& layer : image.layers) {
      auto& fd = open[layer.record.blob_hex];
      if (!fd) {
        fd = std::make_shared<UniqueFd>(
            ::open(context.files.blobPath(layer.record.blob_hex).c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd->valid()) {
          return sysError("open blob " + layer.record.blob_hex, errno);
        }
      }
      layer.blob = fd;
    }
  }
  return plan;
}

Result<void> saveImages(const SavePlan& plan, ImageStream& stream) {
  Layout layout;
  for (const SavePlan::Image& image : plan.images) {
    FLO_TRY(layout.add(image));
  }
  TarOutput out(stream);
  FLO_TRY(out.open());
  if (!layout.blobs.empty()) {
    FLO_TRY(out.directory("blobs/"));
    FLO_TRY(out.directory("blobs/sha256/"));
  }
  for (const auto& [name, content] : layout.blobs) {
    if (content.layer == nullptr) {
      FLO_TRY(out.file(name, content.text, content.mtime));
    } else {
      FLO_TRY(out.startFile(name, content.layer->record.tar_size, content.mtime));
      FLO_TRY(copyLayer(*content.layer, out));
    }
  }
  const OrderedJson index{
      {"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", layout.index}};
  FLO_TRY(out.file("index.json", jsonText(index), 0));
  FLO_TRY(out.file("manifest.json", jsonText(layout.items) + "\n", 0));
  FLO_TRY(out.file("oci-layout", R"({"imageLayoutVersion": "1.0.0"})", 0));
  if (!layout.repositories.empty()) {
    FLO_TRY(out.file("repositories", jsonText(OrderedJson(layout.repositories)) + "\n", 0));
  }
  return out.close();
}

}  // namespace flotilla::engine
