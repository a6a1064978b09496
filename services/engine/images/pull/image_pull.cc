#include "engine/images/pull/image_pull.h"

#include <utility>

#include "engine/images/image_commit.h"
#include "engine/images/image_document.h"
#include "engine/images/pull/layer_pull.h"
#include "engine/images/pull/manifest.h"
#include "engine/images/pull/pull_progress.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxConfig = 8U << 20U;

/// The API's fromImage and tag: the tag may be a digest, and wins over one inside the name.
Result<Reference> parseTarget(const PullParameters& parameters) {
  FLO_TRY_ASSIGN(Reference reference, Reference::parse(parameters.from_image));
  if (!parameters.tag.empty()) {
    if (isSha256Digest(parameters.tag)) {
      reference.tag.clear();
      reference.digest = parameters.tag;
    } else {
      auto tagged = parseRepoTag(reference.name(), parameters.tag);
      if (!tagged) {
        return Error{ErrorKind::InvalidArgument, "invalid tag format"};
      }
      reference = *std::move(tagged);
    }
  }
  if (reference.domain == "docker.io" && reference.path == "library/scratch") {
    return Error{ErrorKind::PermissionDenied, "'scratch' is a reserved name"};
  }
  return reference;
}

/// A manifest of one image, from `found` or from the index that it is.
Result<Manifest> chooseImage(RegistrySource& registry, const RegistryCaller& caller,
                             RegistryManifest found, const Platform& wanted) {
  constexpr int kMaxDepth = 4;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    FLO_TRY_ASSIGN(Manifest manifest, Manifest::parse(found.media_type, found.text));
    if (manifest.kind == Manifest::Kind::Image) {
      return manifest;
    }
    FLO_TRY_ASSIGN(const Descriptor image, manifest.imageFor(wanted));
    FLO_TRY_ASSIGN(found, registry.manifest(caller, image.digest));
  }
  return Error{ErrorKind::InvalidArgument, "an image index that leads only to others"};
}

Result<std::string> fetchConfig(RegistrySource& registry, const RegistryCaller& caller,
                                const Descriptor& config) {
  std::string text;
  const auto got = registry.blob(caller, config.digest, 0, [&text](std::string_view piece) {
    text += piece;
    return text.size() <= kMaxConfig;
  });
  if (text.size() > kMaxConfig) {
    return Error{ErrorKind::Internal, "image config " + config.digest + " is larger than 8 MiB"};
  }
  FLO_TRY(got);
  if ("sha256:" + sha256Hex(text) != config.digest) {
    return Error{ErrorKind::Internal,
                 "image config verification failed for digest " + config.digest};
  }
  return text;
}

Result<std::optional<ImageRecord>> findImage(ImageContext& images, const std::string& id) {
  std::optional<ImageRecord> found;
  FLO_TRY(images.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(found, ImageRecords(transaction).find(id));
    return {};
  }));
  return found;
}

/// As the "pull" event of dockerd: about the name, not the id.
Result<void> appendPullEvent(ImageContext& images, Transaction& transaction,
                             const ImageDocument& document, const Reference& asked) {
  Event event;
  event.type = "image";
  event.action = "pull";
  event.actor_id = asked.familiar();
  event.attributes = document.containerDefaults().labels;
  event.attributes["name"] = asked.familiarName();
  return images.events.append(transaction, std::move(event));
}

/// The names by which a pulled image is known: its tag and its digest.
Result<bool> nameImage(ImageRecords& records, const Reference& reference, const std::string& digest,
                       const std::string& id) {
  Reference by_digest = reference;
  by_digest.tag.clear();
  by_digest.digest = digest;
  Reference by_tag = reference;
  const bool tagged = reference.digest.empty();
  FLO_TRY_ASSIGN(const auto before, records.idOf(tagged ? by_tag : by_digest));
  FLO_TRY(records.setName(by_digest, id));
  if (tagged) {
    FLO_TRY(records.setName(by_tag, id));
  }
  return !before || *before != id;
}

}  // namespace

Result<ImagePull> ImagePull::prepare(PullContext& context, const PullParameters& parameters) {
  ImagePull pull(context);
  FLO_TRY_ASSIGN(pull.asked_, parseTarget(parameters));
  pull.auth_ = parameters.auth;
  if (!parameters.platform.empty()) {
    const Platform host{"linux", context.images.architecture, ""};
    FLO_TRY_ASSIGN(pull.platform_, Platform::parse(parameters.platform, host));
  }
  if (pull.asked_.isNameOnly()) {
    FLO_TRY_ASSIGN(const auto tags, context.registry.tags(pull.callerFor(pull.asked_)));
    for (const std::string& tag : tags) {
      Reference reference = pull.asked_;
      reference.tag = tag;
      pull.targets_.push_back({std::move(reference)});
    }
  } else {
    pull.targets_.push_back({pull.asked_});
  }
  if (!pull.targets_.empty()) {
    Target& first = pull.targets_.front();
    FLO_TRY_ASSIGN(first.manifest, context.registry.manifest(pull.callerFor(first.reference),
                                                             first.reference.digest.empty()
                                                                 ? first.reference.tag
                                                                 : first.reference.digest));
    // What nobody could make sense of has a status code, too; what is an index is looked into
    // later.
    if (auto sense = Manifest::parse(first.manifest->media_type, first.manifest->text);
        !sense && sense.error().kind() == ErrorKind::Internal) {
      return std::move(sense).error();
    }
  }
  return pull;
}

Platform ImagePull::wanted() const {
  return platform_ ? *platform_ : Platform::normalised("linux", context_->images.architecture, "");
}

Result<void> ImagePull::run(ImageStream& client) {
  ImageStream stream = client;
  stream.cancelled = [context = context_, gone = client.cancelled] {
    return context->stopping || gone();
  };
  PullProgress progress(stream);
  bool changed = false;
  for (Target& target : targets_) {
    FLO_TRY(pullOne(target, progress, stream, changed));
  }
  progress.line(std::string(changed ? "Status: Downloaded newer image for "
                                    : "Status: Image is up to date for ") +
                asked_.familiar());
  if (platform_ && !targets_.empty()) {
    std::string id;
    FLO_TRY(context_->images.database.read([&](Transaction& transaction) -> Result<void> {
      ImageRecords records(transaction);
      FLO_TRY_ASSIGN(const auto found, records.idOf(targets_.front().reference));
      id = found.value_or("");
      return {};
    }));
    FLO_TRY_ASSIGN(const auto image, findImage(context_->images, id));
    const auto document =
        image ? ImageDocument::parse(image->config) : Result<ImageDocument>(ImageDocument{});
    const Platform is =
        document ? Platform::normalised(document->os, document->architecture, document->variant)
                 : *platform_;
    if (image && platformMatch(*platform_, is) == 0) {
      progress.line("WARNING: image with reference " + asked_.familiar() +
                    " was found but its platform (" + is.text() +
                    ") does not match the specified platform (" + platform_->text() + ")");
    }
  }
  return {};
}

Result<void> ImagePull::pullOne(Target& target, PullProgress& progress, ImageStream& stream,
                                bool& changed) {
  ImageContext& images = context_->images;
  const RegistryCaller caller = callerFor(target.reference);
  const Reference& reference = target.reference;
  if (!target.manifest) {
    FLO_TRY_ASSIGN(target.manifest, context_->registry.manifest(caller, reference.tag));
  }
  const std::string digest = target.manifest->digest;
  progress.header("Pulling from " + reference.path,
                  reference.digest.empty() ? reference.tag : reference.familiar());
  FLO_TRY_ASSIGN(const Manifest chosen,
                 chooseImage(context_->registry, caller, *std::move(target.manifest), wanted()));
  const std::string& id = chosen.config.digest;
  FLO_TRY_ASSIGN(const auto known, findImage(images, id));
  std::string config = known ? known->config : std::string();
  if (!known) {
    FLO_TRY_ASSIGN(config, fetchConfig(context_->registry, caller, chosen.config));
  }
  FLO_TRY_ASSIGN(const ImageDocument document, ImageDocument::parse(config));
  if (!document.os.empty() && document.os != "linux") {
    return Error{ErrorKind::InvalidArgument,
                 "image operating system \"" + document.os +
                     "\" cannot be used on this platform: operating system is not supported"};
  }
  if (document.diff_ids.size() != chosen.layers.size()) {
    return Error{ErrorKind::InvalidArgument,
                 "layers from manifest don't match image configuration"};
  }
  FLO_TRY_ASSIGN(const auto workspace, Workspace::create(images.files.paths()));
  LayerPull layers({.images = images,
                    .registry = context_->registry,
                    .slots = context_->slots,
                    .workspace = *workspace,
                    .progress = progress,
                    .caller = caller,
                    .cancelled = stream.cancelled,
                    .attempts = context_->attempts});
  LayerIntake intake(images, *workspace, stream.cancelled);
  LayerCommit commit(images, intake, *workspace);
  if (!known) {
    FLO_TRY_ASSIGN(const auto files, layers.run(document, chosen.layers));
    FLO_TRY(commit.stage(document, files));
  }
  FLO_TRY(commit.commit([&](Transaction& transaction, ImageRecords& records) -> Result<void> {
    FLO_TRY(LayerCommit::addImage(records, ImageRecord{id, config, "", 0}, document));
    FLO_TRY_ASSIGN(const bool moved, nameImage(records, reference, digest, id));
    changed = changed || moved;
    return appendPullEvent(images, transaction, document, asked_);
  }));
  progress.line("Digest: " + digest);
  return {};
}

}  // namespace flotilla::engine
