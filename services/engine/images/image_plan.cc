#include "engine/images/image_plan.h"

#include <utility>

#include "common/json/json.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

using json::Json;

constexpr int kMaxIndexDepth = 4;
constexpr const char* kNameAnnotation = "io.containerd.image.name";
constexpr const char* kTagAnnotation = "org.opencontainers.image.ref.name";

Error invalidArchive(const std::string& what) { return Error{ErrorKind::InvalidArgument, what}; }

Result<Json> document(ArchiveInput& archive, const std::string& name) {
  FLO_TRY_ASSIGN(const std::string text, archive.text(name));
  auto parsed = json::parse(text);
  return parsed ? std::move(parsed) : Result<Json>(std::move(parsed).error().context(name));
}

std::string textMember(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() && it->is_string() ? it->get<std::string>()
                                                                     : std::string();
}

Json list(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() && it->is_array() ? *it : Json::array();
}

Result<Reference> taggedReference(const std::string& name) {
  FLO_TRY_ASSIGN(Reference reference, Reference::parse(name));
  if (reference.tag.empty()) {
    return invalidArchive("invalid tag \"" + name + "\"");
  }
  reference.digest.clear();
  return reference;
}

Result<ImagePlan> planOfManifestItem(ArchiveInput& archive, const Json& item) {
  ImagePlan plan;
  FLO_TRY_ASSIGN(plan.config, archive.text(textMember(item, "Config")));
  for (const Json& layer : list(item, "Layers")) {
    plan.layer_files.push_back(layer.is_string() ? layer.get<std::string>() : std::string());
  }
  for (const Json& tag : list(item, "RepoTags")) {
    FLO_TRY_ASSIGN(Reference reference,
                   taggedReference(tag.is_string() ? tag.get<std::string>() : ""));
    plan.tags.push_back(std::move(reference));
  }
  plan.parent = textMember(item, "Parent");
  return plan;
}

Result<std::vector<ImagePlan>> planOfManifest(ArchiveInput& archive) {
  FLO_TRY_ASSIGN(const Json manifest, document(archive, "manifest.json"));
  if (!manifest.is_array()) {
    return invalidArchive("manifest.json: not a list of images");
  }
  std::vector<ImagePlan> plans;
  for (const Json& item : manifest) {
    FLO_TRY_ASSIGN(ImagePlan plan, planOfManifestItem(archive, item));
    plans.push_back(std::move(plan));
  }
  return plans;
}

Result<std::string> blobName(const Json& descriptor) {
  const std::string digest = textMember(descriptor, "digest");
  if (!isSha256Digest(digest)) {
    return invalidArchive("invalid digest \"" + digest + "\" in the image layout");
  }
  return "blobs/sha256/" + std::string(digestHex(digest));
}

bool isForHost(const Json& descriptor, const std::string& architecture) {
  const auto platform = descriptor.find("platform");
  return platform != descriptor.end() && textMember(*platform, "os") == "linux" &&
         textMember(*platform, "architecture") == architecture;
}

/// The manifest that a descriptor leads to: itself, or this host's of an index.
Result<Json> imageManifest(ArchiveInput& archive, const Json& descriptor,
                           const std::string& architecture, int depth) {
  FLO_TRY_ASSIGN(const std::string name, blobName(descriptor));
  FLO_TRY_ASSIGN(Json found, document(archive, name));
  if (!found.is_object() || !found.contains("manifests")) {
    return found;
  }
  for (const Json& candidate : list(found, "manifests")) {
    if (candidate.is_object() && isForHost(candidate, architecture) && depth < kMaxIndexDepth) {
      return imageManifest(archive, candidate, architecture, depth + 1);
    }
  }
  return invalidArchive("no image for linux/" + architecture + " in " + name);
}

std::vector<Reference> tagsOf(const Json& descriptor) {
  const auto annotations = descriptor.find("annotations");
  if (annotations == descriptor.end()) {
    return {};
  }
  for (const char* key : {kNameAnnotation, kTagAnnotation}) {
    const std::string name = textMember(*annotations, key);
    // A bare "1.2" is a tag of no repository; only what names one is used.
    if (name.find_first_of(":/") != std::string::npos) {
      if (auto reference = Reference::parse(name)) {
        Reference tagged = reference->withDefaultTag();
        tagged.digest.clear();
        return tagged.tag.empty() ? std::vector<Reference>{}
                                  : std::vector<Reference>{std::move(tagged)};
      }
    }
  }
  return {};
}

Result<ImagePlan> planOfDescriptor(ArchiveInput& archive, const Json& descriptor,
                                   const std::string& architecture) {
  FLO_TRY_ASSIGN(const Json manifest, imageManifest(archive, descriptor, architecture, 0));
  const auto config = manifest.is_object() ? manifest.find("config") : manifest.end();
  if (!manifest.is_object() || config == manifest.end()) {
    return invalidArchive("an image manifest without a config");
  }
  ImagePlan plan;
  FLO_TRY_ASSIGN(const std::string config_name, blobName(*config));
  FLO_TRY_ASSIGN(plan.config, archive.text(config_name));
  for (const Json& layer : list(manifest, "layers")) {
    FLO_TRY_ASSIGN(std::string layer_name, blobName(layer));
    plan.layer_files.push_back(std::move(layer_name));
  }
  plan.tags = tagsOf(descriptor);
  return plan;
}

Result<std::vector<ImagePlan>> planOfLayout(ArchiveInput& archive,
                                            const std::string& architecture) {
  FLO_TRY_ASSIGN(const Json index, document(archive, "index.json"));
  const Json manifests = list(index, "manifests");
  std::vector<ImagePlan> plans;
  bool skipped = false;
  for (const Json& descriptor : manifests) {
    if (!descriptor.is_object()) {
      return invalidArchive("index.json: not an image index");
    }
    // An index may list one image's platforms directly.
    if (descriptor.contains("platform") && manifests.size() > 1 &&
        !isForHost(descriptor, architecture)) {
      skipped = true;
      continue;
    }
    FLO_TRY_ASSIGN(ImagePlan plan, planOfDescriptor(archive, descriptor, architecture));
    plans.push_back(std::move(plan));
  }
  if (plans.empty()) {
    return invalidArchive(skipped ? "no image for linux/" + architecture + " in index.json"
                                  : "index.json lists no image");
  }
  return plans;
}

}  // namespace

Result<std::vector<ImagePlan>> planImages(ArchiveInput& archive, const std::string& architecture) {
  if (archive.find("manifest.json") != nullptr) {
    return planOfManifest(archive);
  }
  if (archive.find("index.json") != nullptr) {
    return planOfLayout(archive, architecture);
  }
  return invalidArchive("not an image archive: neither manifest.json nor index.json in it");
}

}  // namespace flotilla::engine
