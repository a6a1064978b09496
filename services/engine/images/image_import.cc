#include "engine/images/image_import.h"

#include <algorithm>
#include <utility>

#include "common/os/rfc3339.h"
#include "engine/images/changes.h"
#include "engine/images/full_config.h"
#include "engine/images/image_commit.h"
#include "engine/images/image_document.h"
#include "engine/images/layer_intake.h"

namespace flotilla::engine {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kImportSize = 256 * 1024;

/// "linux/arm64/v8", "linux", "arm64".
Result<void> parsePlatform(const std::string& platform, ImportRequest& request) {
  std::vector<std::string> parts(1);
  for (const char c : platform) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const auto legal = [](const std::string& part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
  };
  if (parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), legal)) {
    return Error{ErrorKind::InvalidArgument,
                 "\"" + platform + "\" is an invalid platform specifier"};
  }
  static const std::vector<std::string> kForeign = {"windows", "darwin", "freebsd",
                                                    "solaris", "netbsd", "openbsd"};
  const bool foreign = std::find(kForeign.begin(), kForeign.end(), parts[0]) != kForeign.end();
  if (foreign || (parts.size() > 1 && parts[0] != "linux")) {
    return Error{ErrorKind::InvalidArgument, "operating system is not supported"};
  }
  if (parts.size() > 1) {
    request.architecture = parts[1];
    request.variant = parts.size() > 2 ? parts[2] : "";
  } else if (parts[0] != "linux") {
    request.architecture = parts[0];
  }
  return {};
}

std::string configDocument(const ImageContext& context, const ImportRequest& request,
                           const std::string& diff_id) {
  const std::string created =
      request.created.empty() ? rfc3339(wallClockNanoseconds()) : request.created;
  OrderedJson out;
  out["architecture"] = request.architecture;
  if (!request.variant.empty()) {
    out["variant"] = request.variant;
  }
  out["comment"] = request.message;
  out["config"] = fullConfig(request.config);
  out["container_config"] = fullConfig(Json::object());
  out["created"] = created;
  out["docker_version"] = context.version;
  out["history"] =
      OrderedJson::array({OrderedJson{{"created", created}, {"comment", request.message}}});
  out["os"] = "linux";
  out["rootfs"] = OrderedJson{{"type", "layers"}, {"diff_ids", OrderedJson::array({diff_id})}};
  return out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<IncomingFile*> receive(LayerIntake& intake, ImageStream& stream) {
  FLO_TRY_ASSIGN(IncomingFile* const file, intake.begin(LayerIntake::Keep::Layer));
  std::vector<char> buffer(kImportSize);
  for (;;) {
    FLO_TRY_ASSIGN(const std::size_t got, stream.read(buffer.data(), buffer.size()));
    if (got == 0) {
      break;
    }
    FLO_TRY(intake.append(*file, std::string_view(buffer.data(), got)));
  }
  FLO_TRY(intake.end(*file));
  return file;
}

}  // namespace

Result<ImportRequest> checkImport(const ImportParameters& parameters,
                                  const std::string& host_architecture) {
  ImportRequest request;
  request.architecture = host_architecture;
  request.message = parameters.message.empty() ? "Imported from -" : parameters.message;
  request.created = parameters.created;
  if (!parameters.repo.empty()) {
    FLO_TRY_ASSIGN(request.tag, parseRepoTag(parameters.repo, parameters.tag));
  }
  if (!parameters.platform.empty()) {
    FLO_TRY(parsePlatform(parameters.platform, request));
  }
  FLO_TRY(applyChanges(request.config, parameters.changes));
  return request;
}

Result<void> importImage(ImageContext& context, ImageStream& stream, const ImportRequest& request) {
  FLO_TRY_ASSIGN(const auto workspace, Workspace::create(context.files.paths()));
  LayerIntake intake(context, *workspace, stream.cancelled);
  FLO_TRY_ASSIGN(IncomingFile* const file, receive(intake, stream));
  if (file->size == 0) {
    return Error{ErrorKind::InvalidArgument, "unexpected EOF"};
  }
  FLO_TRY_ASSIGN(const UnpackedLayer layer, intake.unpacked(*file));
  const std::string diff_id = "sha256:" + (layer.compressed ? layer.diff_hex : file->hex);
  const std::string text = configDocument(context, request, diff_id);
  FLO_TRY_ASSIGN(const ImageDocument document, ImageDocument::parse(text));
  LayerCommit commit(context, intake, *workspace);
  FLO_TRY(commit.stage(document, {file}));
  const ImageRecord image{document.id, text, "", request.tag ? wallClockNanoseconds() : 0};
  FLO_TRY(commit.commit([&](Transaction& transaction, ImageRecords& records) -> Result<void> {
    FLO_TRY(LayerCommit::addImage(records, image, document));
    if (request.tag) {
      FLO_TRY(records.setName(*request.tag, image.id));
      FLO_TRY(appendImageEvent(context, transaction, "tag", image, request.tag->familiar()));
    }
    return appendImageEvent(context, transaction, "import", image, image.id);
  }));
  return stream.write(statusLine(image.id));
}

Result<void> tagImage(ImageContext& context, const std::string& name, const Reference& tag) {
  return context.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    FLO_TRY_ASSIGN(const std::string id, findImageId(records, name));
    FLO_TRY_ASSIGN(const auto image, records.find(id));
    FLO_TRY(records.setName(tag, id));
    FLO_TRY(records.setLastTag(id, wallClockNanoseconds()));
    return image ? appendImageEvent(context, transaction, "tag", *image, tag.familiar())
                 : Result<void>{};
  });
}

}  // namespace flotilla::engine
