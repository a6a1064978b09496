#include "engine/images/pull/manifest.h"

#include <utility>

#include "common/json/json.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr const char* kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr const char* kOciManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr const char* kDockerConfig = "application/vnd.docker.container.image.v1+json";
constexpr const char* kOciConfig = "application/vnd.oci.image.config.v1+json";
constexpr const char* kOldConfig = "application/octet-stream";
constexpr std::size_t kMaxLayers = 1024;

std::string textOf(const json::Json& object, const char* key) {
  return json::stringOr(object, key, "").value_or("");
}

const json::Json& member(const json::Json& object, const char* key) {
  static const json::Json kNone;
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() ? *it : kNone;
}

Result<Descriptor> parseDescriptor(const json::Json& object) {
  if (!object.is_object()) {
    return Error{ErrorKind::Internal, "invalid manifest: a descriptor is missing"};
  }
  FLO_TRY_ASSIGN(const std::int64_t size, json::integerOr(object, "size", 0));
  Descriptor out{
      textOf(object, "mediaType"), textOf(object, "digest"), static_cast<std::uint64_t>(size), {}};
  if (!isSha256Digest(out.digest) || size < 0) {
    return Error{ErrorKind::Internal, "invalid checksum digest format"};
  }
  const json::Json& platform = member(object, "platform");
  if (platform.is_object()) {
    out.platform = Platform::normalised(textOf(platform, "os"), textOf(platform, "architecture"),
                                        textOf(platform, "variant"));
  }
  return out;
}

Result<std::vector<Descriptor>> descriptors(const json::Json& list) {
  std::vector<Descriptor> out;
  if (!list.is_array() || list.size() > kMaxLayers) {
    return Error{ErrorKind::Internal, "invalid manifest: not a list of reasonable length"};
  }
  for (const json::Json& item : list) {
    FLO_TRY_ASSIGN(Descriptor one, parseDescriptor(item));
    out.push_back(std::move(one));
  }
  return out;
}

Result<Manifest> parseImage(const json::Json& document) {
  Manifest manifest;
  FLO_TRY_ASSIGN(manifest.config, parseDescriptor(member(document, "config")));
  const std::string& type = manifest.config.media_type;
  if (type != kDockerConfig && type != kOciConfig && type != kOldConfig && !type.empty()) {
    return Error{ErrorKind::InvalidArgument, "unsupported media type " + type};
  }
  FLO_TRY_ASSIGN(manifest.layers, descriptors(member(document, "layers")));
  for (const Descriptor& layer : manifest.layers) {
    if (layer.media_type.find("foreign") != std::string::npos) {
      return Error{ErrorKind::InvalidArgument, "unsupported media type " + layer.media_type};
    }
  }
  return manifest;
}

}  // namespace

Result<Manifest> Manifest::parse(std::string_view media_type, std::string_view text_of) {
  const auto parsed = json::parse(text_of);
  if (!parsed || !parsed->is_object()) {
    const std::string why = parsed ? "not a JSON object" : parsed.error().message();
    return Error{ErrorKind::Internal,
                 "invalid manifest: " + why};  // the registry's fault, not the client's
  }
  const json::Json& document = *parsed;
  std::string type(media_type.substr(0, media_type.find(';')));
  if (type != kDockerManifest && type != kDockerList && type != kOciManifest && type != kOciIndex) {
    type = textOf(document, "mediaType");  // a server that says something general
  }
  const bool schema_1 = json::integerOr(document, "schemaVersion", 0).value_or(0) == 1;
  if (schema_1) {
    return Error{
        ErrorKind::InvalidArgument,
        "Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported"};
  }
  if (type == kDockerList || type == kOciIndex ||
      (type.empty() && document.contains("manifests"))) {
    Manifest index;
    index.kind = Kind::Index;
    FLO_TRY_ASSIGN(index.images, descriptors(member(document, "manifests")));
    return index;
  }
  if (type == kDockerManifest || type == kOciManifest || type.empty()) {
    return parseImage(document);
  }
  return Error{ErrorKind::InvalidArgument, "unsupported media type " + type};
}

Result<Descriptor> Manifest::imageFor(const Platform& wanted) const {
  const Descriptor* best = nullptr;
  int best_match = 0;
  for (const Descriptor& image : images) {
    if (const int match = platformMatch(wanted, image.platform); match > best_match) {
      best = &image;
      best_match = match;
    }
  }
  if (best == nullptr) {
    return Error{ErrorKind::NotFound,
                 "no matching manifest for " + wanted.text() + " in the manifest list entries"};
  }
  return *best;
}

const std::vector<std::string>& acceptedManifests() {
  static const std::vector<std::string> kAccepted = {kDockerManifest, kDockerList, kOciManifest,
                                                     kOciIndex};
  return kAccepted;
}

}  // namespace flotilla::engine
