#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/os/rfc3339.h"
#include "engine/images/image_document.h"
#include "engine/images/image_filters.h"
#include "engine/images/image_queries.h"

namespace flotilla::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr ApiVersion kEmptyNameLists{1, 43};
constexpr ApiVersion kContainerCount{1, 51};

struct ListedImage {
  ImageRecord record;
  ImageDocument document;
  std::vector<LayerRecord> layers;
  std::vector<Reference> names;  // those that the reference filter lets through
  bool named = false;            // has any name at all
  bool parent_of_others = false;
  std::int64_t containers = 0;
};

/// Everything a list needs, read in one snapshot.
struct Snapshot {
  std::vector<ListedImage> images;
  std::map<std::string, int> users_of_layer;
};

Result<Snapshot> readSnapshot(ImageContext& context, Transaction& transaction,
                              bool count_containers) {
  ImageRecords records(transaction);
  Snapshot snapshot;
  FLO_TRY_ASSIGN(auto rows, records.all());
  std::map<std::string, std::size_t> at;
  for (ImageRecord& row : rows) {
    FLO_TRY_ASSIGN(ImageDocument document, ImageDocument::parse(row.config));
    at[row.id] = snapshot.images.size();
    snapshot.images.push_back(
        ListedImage{std::move(row), std::move(document), {}, {}, false, false, 0});
  }
  for (const ListedImage& image : snapshot.images) {
    if (const auto parent = at.find(image.record.parent); parent != at.end()) {
      snapshot.images[parent->second].parent_of_others = true;
    }
  }
  FLO_TRY_ASSIGN(auto names, records.allNames());
  for (NameRecord& name : names) {
    if (const auto image = at.find(name.image_id); image != at.end()) {
      snapshot.images[image->second].names.push_back(std::move(name.reference));
      snapshot.images[image->second].named = true;
    }
  }
  FLO_TRY_ASSIGN(auto layers, records.allImageLayers());
  for (auto& [id, layer] : layers) {
    ++snapshot.users_of_layer[layer.chain_id];
    if (const auto image = at.find(id); image != at.end()) {
      snapshot.images[image->second].layers.push_back(std::move(layer));
    }
  }
  if (count_containers && context.containers) {
    FLO_TRY_ASSIGN(const auto uses, context.containers(transaction, ""));
    for (const ContainerUse& use : uses) {
      if (const auto image = at.find(use.image_id); image != at.end()) {
        ++snapshot.images[image->second].containers;
      }
    }
  }
  return snapshot;
}

/// The filters, decided against one snapshot.
class Filter {
 public:
  static Result<Filter> make(const ImageListOptions& options, Transaction& transaction) {
    Filter filter;
    filter.all_ = options.all;
    FLO_TRY_ASSIGN(filter.values_, parseFilters(options.filters, {"dangling", "label", "before",
                                                                  "since", "reference", "until"}));
    FLO_TRY(filter.decideDangling());
    FLO_TRY(filter.decideTimes(transaction));
    return filter;
  }

  /// Whether to list it; drops names that the reference filter does not let through.
  Result<bool> admits(ListedImage& image) const {
    const std::int64_t created = image.document.created_ns.value_or(0);
    if ((before_ && created >= *before_) || (since_ && created <= *since_)) {
      return false;
    }
    if (!labelsMatch(image.document)) {
      return false;
    }
    FLO_TRY(keepMatchingNames(image));
    if (image.names.empty() && image.named) {
      return false;
    }
    if (!image.named) {
      if (values_.contains("reference") || (dangling_ && !*dangling_)) {
        return false;
      }
      return all_ || !image.parent_of_others;
    }
    return !dangling_ || !*dangling_;
  }

 private:
  Result<void> decideDangling() {
    const auto it = values_.find("dangling");
    if (it == values_.end()) {
      return {};
    }
    std::string shown;
    for (const std::string& value : it->second) {
      shown += (shown.empty() ? "" : " ") + value;
    }
    if (shown == "true" || shown == "1") {
      dangling_ = true;
    } else if (shown == "false" || shown == "0") {
      dangling_ = false;
    } else {
      return Error{ErrorKind::InvalidArgument, "invalid filter 'dangling=[" + shown + "]'"};
    }
    return {};
  }

  Result<void> decideTimes(Transaction& transaction) {
    ImageRecords records(transaction);
    // A cluster's gateway gives hosts the time of an image that they may not have.
    const auto created_of = [&records](const std::string& name) -> Result<std::int64_t> {
      if (name == kZeroTime) {
        return 0;
      }
      if (const auto time = parseRfc3339(name)) {
        return *time;
      }
      FLO_TRY_ASSIGN(const std::string id, findImageId(records, name));
      FLO_TRY_ASSIGN(const auto image, records.find(id));
      FLO_TRY_ASSIGN(const ImageDocument document,
                     ImageDocument::parse(image ? image->config : ""));
      return document.created_ns.value_or(0);
    };
    for (const std::string& name : valuesOf("before")) {
      FLO_TRY_ASSIGN(const std::int64_t time, created_of(name));
      before_ = std::min(before_.value_or(time), time);
    }
    for (const std::string& name : valuesOf("since")) {
      FLO_TRY_ASSIGN(const std::int64_t time, created_of(name));
      since_ = std::max(since_.value_or(time), time);
    }
    for (const std::string& text : valuesOf("until")) {
      FLO_TRY_ASSIGN(const std::int64_t time, parseFilterTime(text, wallClockNanoseconds()));
      before_ = std::min(before_.value_or(time), time);
    }
    return {};
  }

  [[nodiscard]] std::vector<std::string> valuesOf(std::string_view name) const {
    const auto it = values_.find(name);
    return it != values_.end() ? it->second : std::vector<std::string>{};
  }

  [[nodiscard]] bool labelsMatch(const ImageDocument& document) const {
    const auto wanted = valuesOf("label");
    if (wanted.empty()) {
      return true;
    }
    const auto labels = document.containerDefaults().labels;
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& text) {
      const std::size_t equals = text.find('=');
      const auto label = labels.find(text.substr(0, equals));
      return label != labels.end() &&
             (equals == std::string::npos || label->second == text.substr(equals + 1));
    });
  }

  Result<void> keepMatchingNames(ListedImage& image) const {
    const auto patterns = valuesOf("reference");
    if (patterns.empty()) {
      return {};
    }
    std::vector<Reference> kept;
    for (Reference& name : image.names) {
      bool matched = false;
      for (const std::string& pattern : patterns) {
        FLO_TRY_ASSIGN(const bool one,
                       matchesReference(pattern, name.familiar(), name.familiarName()));
        matched = matched || one;
      }
      if (matched) {
        kept.push_back(std::move(name));
      }
    }
    image.names = std::move(kept);
    return {};
  }

  FilterMap values_;
  bool all_ = false;
  std::optional<bool> dangling_;
  std::optional<std::int64_t> before_, since_;
};

std::uint64_t sharedSize(const ListedImage& image, const std::map<std::string, int>& users) {
  std::uint64_t total = 0;
  for (const LayerRecord& layer : image.layers) {
    const auto count = users.find(layer.chain_id);
    total += count != users.end() && count->second > 1 ? layer.disk_size : 0;
  }
  return total;
}

/// Before 1.43 an image without names was shown as "<none>", and an empty list as null.
void setNames(OrderedJson& out, const ListedImage& image, ApiVersion version) {
  OrderedJson tags = OrderedJson::array();
  OrderedJson digests = OrderedJson::array();
  for (const Reference& name : image.names) {
    (name.digest.empty() ? tags : digests).push_back(name.familiar());
  }
  if (version < kEmptyNameLists) {
    if (tags.empty() && digests.empty()) {
      tags.push_back("<none>:<none>");
      digests.push_back("<none>@<none>");
    }
    if (tags.empty()) {
      tags = nullptr;
    }
    if (digests.empty()) {
      digests = nullptr;
    }
  }
  out["RepoDigests"] = std::move(digests);
  out["RepoTags"] = std::move(tags);
}

OrderedJson encode(const ListedImage& image, const Snapshot& snapshot,
                   const ImageListOptions& options, ApiVersion version) {
  std::uint64_t size = 0;
  for (const LayerRecord& layer : image.layers) {
    size += layer.disk_size;
  }
  OrderedJson out;
  out["Containers"] = version < kContainerCount ? -1 : image.containers;
  out["Created"] = image.document.created_ns.value_or(0) / 1'000'000'000;
  out["Id"] = image.record.id;
  const auto labels = image.document.containerDefaults().labels;
  out["Labels"] = labels.empty() ? OrderedJson(nullptr) : OrderedJson(labels);
  out["ParentId"] = image.record.parent;
  setNames(out, image, version);
  out["SharedSize"] = -1;
  if (options.shared_size) {
    out["SharedSize"] = sharedSize(image, snapshot.users_of_layer);
  }
  out["Size"] = size;
  if (version < kNoVirtualSize) {
    out["VirtualSize"] = size;
  }
  return out;
}

}  // namespace

Result<std::string> listImages(ImageContext& context, const ImageListOptions& options,
                               ApiVersion version) {
  OrderedJson out = OrderedJson::array();
  FLO_TRY(context.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(const Filter filter, Filter::make(options, transaction));
    FLO_TRY_ASSIGN(Snapshot snapshot,
                   readSnapshot(context, transaction, !(version < kContainerCount)));
    std::stable_sort(snapshot.images.begin(), snapshot.images.end(),
                     [](const auto& a, const auto& b) {
                       return a.document.created_ns.value_or(0) > b.document.created_ns.value_or(0);
                     });
    for (ListedImage& image : snapshot.images) {
      FLO_TRY_ASSIGN(const bool admitted, filter.admits(image));
      if (admitted) {
        out.push_back(encode(image, snapshot, options, version));
      }
    }
    return {};
  }));
  return out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace flotilla::engine
