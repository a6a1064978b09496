#include "engine/images/image_load.h"

#include <utility>
#include <vector>

#include "engine/images/archive_input.h"
#include "engine/images/image_commit.h"
#include "engine/images/image_plan.h"
#include "engine/images/layer_intake.h"

namespace flotilla::engine {
namespace {

struct PlannedImage {
  ImagePlan plan;
  ImageDocument document;
};

Result<PlannedImage> check(ImagePlan plan) {
  FLO_TRY_ASSIGN(ImageDocument document, ImageDocument::parse(plan.config));
  if (!document.os.empty() && document.os != "linux") {
    return Error{ErrorKind::InvalidArgument, "operating system is not supported"};
  }
  if (document.diff_ids.size() != plan.layer_files.size()) {
    return Error{ErrorKind::InvalidArgument, "invalid manifest, layers length mismatch: expected " +
                                                 std::to_string(document.diff_ids.size()) +
                                                 ", got " +
                                                 std::to_string(plan.layer_files.size())};
  }
  return PlannedImage{std::move(plan), std::move(document)};
}

Result<std::vector<IncomingFile*>> filesOf(ArchiveInput& archive, const ImagePlan& plan) {
  std::vector<IncomingFile*> files;
  for (const std::string& name : plan.layer_files) {
    IncomingFile* const file = archive.find(name);
    if (file == nullptr) {
      return Error{ErrorKind::InvalidArgument, "open " + name + ": no such file in the archive"};
    }
    files.push_back(file);
  }
  return files;
}

/// Records one image and its names; what dockerd says about it goes to `lines`.
Result<void> record(ImageContext& context, Transaction& transaction, ImageRecords& records,
                    const PlannedImage& image, std::string& lines) {
  ImageRecord row{image.document.id, image.plan.config, image.plan.parent, 0};
  FLO_TRY(LayerCommit::addImage(records, row, image.document));
  for (const Reference& tag : image.plan.tags) {
    FLO_TRY_ASSIGN(const auto old, records.idOf(tag));
    if (old && *old != row.id) {
      lines += streamLine("The image " + tag.familiar() +
                          " already exists, renaming the old one with ID " + *old +
                          " to empty string\n");
    }
    FLO_TRY(records.setName(tag, row.id));
    lines += streamLine("Loaded image: " + tag.familiar() + "\n");
  }
  return appendImageEvent(context, transaction, "load", row, row.id);
}

}  // namespace

Result<void> loadImages(ImageContext& context, ImageStream& stream, const LoadOptions& options) {
  FLO_TRY_ASSIGN(const auto workspace, Workspace::create(context.files.paths()));
  LayerIntake intake(context, *workspace, stream.cancelled);
  ArchiveInput archive(context, intake, stream, {.progress = !options.quiet});
  FLO_TRY(archive.readAll());
  FLO_TRY_ASSIGN(auto plans, planImages(archive, context.architecture));
  LayerCommit commit(context, intake, *workspace);
  std::vector<PlannedImage> images;
  for (ImagePlan& plan : plans) {
    FLO_TRY_ASSIGN(PlannedImage image, check(std::move(plan)));
    FLO_TRY_ASSIGN(const auto files, filesOf(archive, image.plan));
    FLO_TRY(commit.stage(image.document, files));
    images.push_back(std::move(image));
  }
  std::string lines;
  FLO_TRY(commit.commit([&](Transaction& transaction, ImageRecords& records) -> Result<void> {
    lines.clear();
    std::string ids;
    bool tagged = false;
    for (const PlannedImage& image : images) {
      FLO_TRY(record(context, transaction, records, image, lines));
      ids += "Loaded image ID: " + image.document.id + "\n";
      tagged = tagged || !image.plan.tags.empty();
    }
    if (!tagged && !images.empty()) {
      lines += streamLine(ids);
    }
    return {};
  }));
  return stream.write(lines);
}

}  // namespace flotilla::engine
