#include "engine/images/image_context.h"

#include <sys/utsname.h>

#include <algorithm>
#include <map>

#include "engine/images/image_document.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

Error noSuchImage(std::string_view name) {
  return Error{ErrorKind::NotFound, "No such image: " + std::string(name)};
}

bool isHexText(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

std::string_view withoutAlgorithm(std::string_view id) {
  constexpr std::string_view kPrefix = "sha256:";
  return id.starts_with(kPrefix) ? id.substr(kPrefix.size()) : id;
}

}  // namespace

Result<std::string> findImageId(ImageRecords& records, std::string_view name) {
  const std::string_view hex = withoutAlgorithm(name);
  if (isFullImageId(name)) {
    const std::string id = "sha256:" + std::string(hex);
    FLO_TRY_ASSIGN(const auto image, records.find(id));
    return image ? Result<std::string>(id) : Result<std::string>(noSuchImage(id));
  }
  FLO_TRY_ASSIGN(const Reference parsed, Reference::parse(name));
  const Reference reference = parsed.withDefaultTag();
  FLO_TRY_ASSIGN(auto named, records.idOf(reference));
  if (named) {
    return std::move(*named);
  }
  if (isHexText(hex) && hex.size() < 64) {
    FLO_TRY_ASSIGN(auto ids, records.byPrefix(hex));
    if (ids.size() == 1) {
      return std::move(ids.front());
    }
  }
  return noSuchImage(reference.familiar());
}

bool isIdPrefix(const std::string& image_id, std::string_view name) {
  return image_id.starts_with(name) || digestHex(image_id).starts_with(name);
}

Result<void> appendImageEvent(ImageContext& context, Transaction& transaction,
                              const std::string& action, const ImageRecord& image,
                              const std::string& name) {
  Event event;
  event.type = "image";
  event.action = action;
  event.actor_id = image.id;
  if (auto document = ImageDocument::parse(image.config)) {
    event.attributes = document->containerDefaults().labels;
  }
  event.attributes["name"] = name;
  return context.events.append(transaction, std::move(event));
}

Result<void> appendDeletedImageEvent(ImageContext& context, Transaction& transaction,
                                     const std::string& id) {
  Event event;
  event.type = "image";
  event.action = "delete";
  event.actor_id = id;
  event.attributes["name"] = id;
  return context.events.append(transaction, std::move(event));
}

std::string hostArchitecture() {
  static const std::map<std::string, std::string, std::less<>> kGoNames = {
      {"x86_64", "amd64"},    {"aarch64", "arm64"},   {"i686", "386"},   {"armv7l", "arm"},
      {"riscv64", "riscv64"}, {"ppc64le", "ppc64le"}, {"s390x", "s390x"}};
  utsname name{};
  if (::uname(&name) != 0) {
    return "amd64";
  }
  const auto known = kGoNames.find(std::string_view(name.machine));
  return known != kGoNames.end() ? known->second : name.machine;
}

std::string shortId(std::string_view id) { return std::string(withoutAlgorithm(id).substr(0, 12)); }

}  // namespace flotilla::engine
