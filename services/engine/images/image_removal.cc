#include "engine/images/image_removal.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

using Lines = std::vector<RemovalLine>;

/// Docker's rule for what an id may remove without force: at most one tag, and digests only of the
/// same repository.
bool isSingleReference(const std::vector<NameRecord>& names) {
  std::set<std::string> tagged;
  std::set<std::string> digested;
  int tags = 0;
  for (const NameRecord& name : names) {
    const bool canonical = !name.reference.digest.empty();
    (canonical ? digested : tagged).insert(name.reference.name());
    tags += canonical ? 0 : 1;
  }
  if (names.size() <= 1) {
    return true;
  }
  if (tags > 1 || digested.size() > 1) {
    return false;
  }
  return tags == 0 || digested == tagged;
}

/// One removal inside its transaction; collects what Docker reports and which files may go.
class Removal {
 public:
  Removal(ImageContext& context, Transaction& transaction, const RemovalOptions& options)
      : context_(context), transaction_(transaction), records_(transaction), options_(options) {}

  Result<void> run(const std::string& name) {
    FLO_TRY_ASSIGN(const std::string id, findImageId(records_, name));
    FLO_TRY_ASSIGN(const auto names, records_.namesOf(id));
    if (!isIdPrefix(id, name)) {
      FLO_TRY_ASSIGN(const bool finished, untagByName(id, name, names));
      return finished ? Result<void>{} : removeImageRecord(id, options_.force, Prune::Asked);
    }
    if (isSingleReference(names)) {
      FLO_TRY(checkConflicts(id, {.soft = !options_.force, .active_references = false}));
      FLO_TRY(untagAll(id, names));
    }
    return removeImageRecord(id, options_.force, Prune::Asked);
  }

  Lines lines;
  Garbage garbage;

 private:
  enum class Prune { Asked, Quietly };
  struct Checks {
    bool soft = true;
    bool active_references = true;
  };

  Result<std::vector<ContainerUse>> users(const std::string& id) {
    return context_.containers ? context_.containers(transaction_, id)
                               : std::vector<ContainerUse>{};
  }

  /// True when other names remain, so that untagging was all.
  Result<bool> untagByName(const std::string& id, const std::string& name,
                           const std::vector<NameRecord>& names) {
    if (!options_.force && isSingleReference(names)) {
      FLO_TRY_ASSIGN(const auto containers, users(id));
      if (!containers.empty()) {
        return Error{ErrorKind::Conflict, "conflict: unable to remove repository reference \"" +
                                              name + "\" (must force) - container " +
                                              shortId(containers.front().id) +
                                              " is using its referenced image " + shortId(id)};
      }
    }
    FLO_TRY_ASSIGN(const Reference parsed, Reference::parse(name));
    FLO_TRY(untag(id, parsed.withDefaultTag()));
    FLO_TRY_ASSIGN(auto left, records_.namesOf(id));
    FLO_TRY(dropOrphanDigests(id, parsed.name(), left));
    FLO_TRY_ASSIGN(left, records_.namesOf(id));
    return !left.empty();
  }

  /// With its last tag, a repository's digest names of the image go as well.
  Result<void> dropOrphanDigests(const std::string& id, const std::string& repository,
                                 const std::vector<NameRecord>& left) {
    const bool tag_left = std::any_of(left.begin(), left.end(), [&](const NameRecord& name) {
      return name.reference.name() == repository && name.reference.digest.empty();
    });
    for (const NameRecord& name : left) {
      if (!tag_left && name.reference.name() == repository) {
        FLO_TRY(untag(id, name.reference));
      }
    }
    return {};
  }

  Result<void> untag(const std::string& id, const Reference& reference) {
    FLO_TRY(records_.removeName(reference));
    lines.push_back({RemovalLine::Kind::Untagged, reference.familiar()});
    FLO_TRY_ASSIGN(const auto image, records_.find(id));
    return image ? appendImageEvent(context_, transaction_, "untag", *image, id) : Result<void>{};
  }

  Result<void> untagAll(const std::string& id, const std::vector<NameRecord>& names) {
    for (const NameRecord& name : names) {
      FLO_TRY(untag(id, name.reference));
    }
    return {};
  }

  static Error conflict(const std::string& id, bool hard, const std::string& why) {
    return Error{ErrorKind::Conflict, "conflict: unable to delete " + shortId(id) + " (" +
                                          (hard ? "cannot be forced" : "must be forced") + ") - " +
                                          why};
  }

  Result<void> checkConflicts(const std::string& id, Checks checks) {
    FLO_TRY_ASSIGN(const auto children, records_.childrenOf(id));
    if (!children.empty()) {
      return conflict(id, true, "image has dependent child images");
    }
    FLO_TRY_ASSIGN(const auto containers, users(id));
    for (const ContainerUse& container : containers) {
      if (container.running) {
        return conflict(id, true,
                        "image is being used by running container " + shortId(container.id));
      }
    }
    if (!checks.soft) {
      return {};
    }
    FLO_TRY_ASSIGN(const auto names, records_.namesOf(id));
    if (checks.active_references && !names.empty()) {
      return conflict(id, false, "image is referenced in multiple repositories");
    }
    if (!containers.empty()) {
      return conflict(id, false,
                      "image is being used by stopped container " + shortId(containers.front().id));
    }
    return {};
  }

  /// A conflict ends the pruning of parents, and of an image that a running container still needs
  /// after its name went, without being an error of the whole.
  Result<void> removeImageRecord(const std::string& id, bool force, Prune prune) {
    auto allowed = checkConflicts(id, {.soft = !force, .active_references = true});
    if (!allowed) {
      const bool quiet = prune == Prune::Quietly || !lines.empty();
      return quiet && allowed.error().kind() == ErrorKind::Conflict ? Result<void>{} : allowed;
    }
    FLO_TRY_ASSIGN(const auto image, records_.find(id));
    FLO_TRY_ASSIGN(const auto names, records_.namesOf(id));
    FLO_TRY(untagAll(id, names));
    FLO_TRY(records_.hold(id));
    FLO_TRY(appendDeletedImageEvent(context_, transaction_, id));
    lines.push_back({RemovalLine::Kind::Deleted, id});
    FLO_TRY_ASSIGN(const auto containers, users(id));
    if (containers.empty()) {
      FLO_TRY(collect(id));
    }
    if (!options_.prune_parents || !image || image->parent.empty()) {
      return {};
    }
    FLO_TRY_ASSIGN(const auto parent, records_.find(image->parent));
    return parent ? removeImageRecord(parent->id, false, Prune::Quietly) : Result<void>{};
  }

  Result<void> collect(const std::string& id) {
    FLO_TRY_ASSIGN(Garbage found, records_.collect(id));
    for (LayerRecord& layer : found.layers) {
      lines.push_back({RemovalLine::Kind::Deleted, layer.chain_id});
      garbage.layers.push_back(std::move(layer));
    }
    std::move(found.blob_hexes.begin(), found.blob_hexes.end(),
              std::back_inserter(garbage.blob_hexes));
    return {};
  }

  ImageContext& context_;
  Transaction& transaction_;
  ImageRecords records_;
  RemovalOptions options_;
};

Result<void> removeFiles(ImageContext& context, const Garbage& garbage, Workspace& trash) {
  for (const LayerRecord& layer : garbage.layers) {
    FLO_TRY(context.files.removeLayer(std::string(digestHex(layer.chain_id)), trash));
  }
  for (const std::string& hex : garbage.blob_hexes) {
    FLO_TRY(context.files.removeBlob(hex));
  }
  return {};
}

}  // namespace

Result<std::vector<RemovalLine>> removeImage(ImageContext& context, const std::string& name,
                                             const RemovalOptions& options) {
  FLO_TRY_ASSIGN(const auto trash, Workspace::create(context.files.paths()));
  Lines lines;
  Garbage garbage;
  FLO_TRY_ASSIGN(UniqueFd lock, context.files.lockExclusive());
  FLO_TRY(
      context.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
        Removal removal(context, transaction, options);
        FLO_TRY(removal.run(name));
        lines = std::move(removal.lines);
        garbage = std::move(removal.garbage);
        return {};
      }));
  // The records are gone: what fails here is swept at the next start.
  (void)removeFiles(context, garbage, *trash);
  return lines;
}

Result<void> collectHeldImages(ImageContext& context) {
  std::vector<std::string> held;
  FLO_TRY(context.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(held, ImageRecords(transaction).held());
    return {};
  }));
  if (held.empty()) {
    return {};
  }
  FLO_TRY_ASSIGN(const auto trash, Workspace::create(context.files.paths()));
  Garbage garbage;
  FLO_TRY_ASSIGN(UniqueFd lock, context.files.lockExclusive());
  FLO_TRY(
      context.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
        ImageRecords records(transaction);
        for (const std::string& id : held) {
          if (context.containers) {
            FLO_TRY_ASSIGN(const auto users, context.containers(transaction, id));
            if (!users.empty()) {
              continue;
            }
          }
          FLO_TRY_ASSIGN(Garbage found, records.collect(id));
          std::move(found.layers.begin(), found.layers.end(), std::back_inserter(garbage.layers));
          std::move(found.blob_hexes.begin(), found.blob_hexes.end(),
                    std::back_inserter(garbage.blob_hexes));
        }
        return {};
      }));
  return removeFiles(context, garbage, *trash);
}

}  // namespace flotilla::engine
