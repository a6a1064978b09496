#include <nlohmann/json.hpp>
#include <utility>

#include "common/os/rfc3339.h"
#include "engine/images/full_config.h"
#include "engine/images/image_document.h"
#include "engine/images/image_queries.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr ApiVersion kNoContainerConfig{1, 45};
constexpr ApiVersion kImageOnlyConfig{1, 50};

struct InspectedImage {
  ImageRecord record;
  ImageDocument document;
  std::vector<LayerRecord> layers;
  std::vector<NameRecord> names;
};

Result<InspectedImage> read(ImageContext& context, const std::string& name) {
  InspectedImage image;
  FLO_TRY(context.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    FLO_TRY_ASSIGN(const std::string id, findImageId(records, name));
    FLO_TRY_ASSIGN(auto record, records.find(id));
    if (!record) {
      return Error{ErrorKind::NotFound, "No such image: " + name};
    }
    image.record = std::move(*record);
    FLO_TRY_ASSIGN(image.layers, records.layersOf(id));
    FLO_TRY_ASSIGN(image.names, records.namesOf(id));
    return {};
  }));
  FLO_TRY_ASSIGN(image.document, ImageDocument::parse(image.record.config));
  return image;
}

std::uint64_t totalSize(const std::vector<LayerRecord>& layers) {
  std::uint64_t size = 0;
  for (const LayerRecord& layer : layers) {
    size += layer.disk_size;
  }
  return size;
}

/// The members Docker always shows, with null or "" where the image is silent, and the optional
/// ones only where they say something. Sorted, as Docker's are here.
Json configJson(const Json& config, ApiVersion version) {
  Json out = Json::object();
  for (const char* key : {"Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes"}) {
    out[key] = config.contains(key) ? config[key] : Json();
  }
  for (const char* key : {"User", "WorkingDir"}) {
    out[key] = config.contains(key) ? config[key] : Json("");
  }
  for (const char* key : {"ArgsEscaped", "ExposedPorts", "Healthcheck", "Shell", "StopSignal",
                          "StopTimeout", "NetworkDisabled"}) {
    if (config.contains(key) && !config[key].is_null() && config[key] != Json("") &&
        config[key] != Json(false)) {
      out[key] = config[key];
    }
  }
  if (version < kImageOnlyConfig) {  // what only containers have, at its zero
    for (const char* key :
         {"AttachStderr", "AttachStdin", "AttachStdout", "OpenStdin", "StdinOnce", "Tty"}) {
      out[key] = false;
    }
    for (const char* key : {"Domainname", "Hostname", "Image"}) {
      out[key] = "";
    }
  }
  return out;
}

OrderedJson graphDriver(ImageContext& context, const std::vector<LayerRecord>& layers) {
  OrderedJson data = OrderedJson::object();
  if (!layers.empty()) {
    std::string lower;
    for (auto it = layers.rbegin() + 1; it != layers.rend(); ++it) {
      lower += lower.empty() ? "" : ":";
      lower += context.files.layerPath(std::string(digestHex(it->chain_id)));
      lower += "/fs";
    }
    const std::string top = context.files.layerPath(std::string(digestHex(layers.back().chain_id)));
    if (!lower.empty()) {
      data["LowerDir"] = lower;
    }
    data["MergedDir"] = top + "/merged";
    data["UpperDir"] = top + "/fs";
    data["WorkDir"] = top + "/work";
  }
  return OrderedJson{{"Data", data}, {"Name", "overlay2"}};
}

void addNames(OrderedJson& out, const std::vector<NameRecord>& names) {
  OrderedJson tags = OrderedJson::array();
  OrderedJson digests = OrderedJson::array();
  for (const NameRecord& name : names) {
    (name.reference.digest.empty() ? tags : digests).push_back(name.reference.familiar());
  }
  out["RepoTags"] = std::move(tags);
  out["RepoDigests"] = std::move(digests);
}

void addOrigin(OrderedJson& out, const ImageDocument& document, ApiVersion version) {
  out["Comment"] = document.comment;
  if (!document.created_text.empty() || version < kNoVirtualSize) {
    out["Created"] = document.created_ns ? rfc3339(*document.created_ns) : std::string(kZeroTime);
  }
  if (version < kNoContainerConfig) {
    if (!document.container.empty()) {
      out["Container"] = document.container;
    }
    out["ContainerConfig"] = fullConfig(document.container_config);
  }
  out["DockerVersion"] = document.docker_version;
  out["Author"] = document.author;
  out["Architecture"] = document.architecture;
  if (!document.variant.empty()) {
    out["Variant"] = document.variant;
  }
  out["Os"] = document.os;
  if (!document.os_version.empty()) {
    out["OsVersion"] = document.os_version;
  }
}

std::string dump(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

Result<std::string> inspectImage(ImageContext& context, const std::string& name,
                                 ApiVersion version) {
  FLO_TRY_ASSIGN(const InspectedImage image, read(context, name));
  OrderedJson out;
  out["Id"] = image.record.id;
  addNames(out, image.names);
  out["Parent"] = image.record.parent;
  addOrigin(out, image.document, version);
  const std::uint64_t size = totalSize(image.layers);
  out["Size"] = size;
  if (version < kNoVirtualSize) {
    out["VirtualSize"] = size;
  }
  out["GraphDriver"] = graphDriver(context, image.layers);
  out["RootFS"] = OrderedJson{{"Type", "layers"}};
  if (!image.document.diff_ids.empty()) {
    out["RootFS"]["Layers"] = image.document.diff_ids;
  }
  out["Metadata"]["LastTagTime"] =
      image.record.last_tag_ns != 0 ? rfc3339(image.record.last_tag_ns) : std::string(kZeroTime);
  out["Config"] = configJson(image.document.config, version);
  return dump(out);
}

Result<std::string> imageHistory(ImageContext& context, const std::string& name) {
  FLO_TRY_ASSIGN(const InspectedImage image, read(context, name));
  OrderedJson out = OrderedJson::array();
  std::size_t layer = 0;
  for (const HistoryEntry& entry : image.document.history) {
    std::uint64_t size = 0;
    if (!entry.empty_layer && layer < image.layers.size()) {
      size = image.layers[layer++].disk_size;
    }
    out.insert(out.begin(), OrderedJson{{"Comment", entry.comment},
                                        {"Created", entry.created_ns.value_or(0) / 1'000'000'000},
                                        {"CreatedBy", entry.created_by},
                                        {"Id", "<missing>"},
                                        {"Size", size},
                                        {"Tags", nullptr}});
  }
  // Entries are matched with the image and its known ancestors, newest first.
  FLO_TRY(context.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    std::optional<ImageRecord> at = image.record;
    for (std::size_t i = 0; i < out.size() && at; ++i) {
      out[i]["Id"] = at->id;
      FLO_TRY_ASSIGN(const auto names, records.namesOf(at->id));
      for (const NameRecord& known : names) {
        if (known.reference.digest.empty()) {
          out[i]["Tags"].push_back(known.reference.familiar());
        }
      }
      if (at->parent.empty()) {
        break;
      }
      FLO_TRY_ASSIGN(at, records.find(at->parent));
    }
    return {};
  }));
  return dump(out);
}

}  // namespace flotilla::engine
