#include "tests/integration/images/image_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/images/image_document.h"

namespace flotilla::engine::testing {
namespace {

namespace fs = std::filesystem;

std::string unpackProgram() {
  const char* given = std::getenv("FLO_UNPACK");
  return given != nullptr ? given : FLO_UNPACK_PROGRAM;
}

}  // namespace

std::string configOf(const ImageSpec& spec) {
  nlohmann::json document = {{"architecture", "amd64"}, {"os", "linux"}, {"config", spec.config}};
  document["created"] = "2024-01-02T03:04:05.678Z";
  document["rootfs"]["type"] = "layers";
  document["rootfs"]["diff_ids"] = nlohmann::json::array();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    document["rootfs"]["diff_ids"].push_back(
        i < spec.diff_ids.size() ? spec.diff_ids[i] : "sha256:" + sha256Hex(spec.layers[i]));
  }
  return document.dump();
}

std::string imageIdOf(const ImageSpec& spec) { return "sha256:" + sha256Hex(configOf(spec)); }

std::string dockerArchive(const std::vector<ImageSpec>& specs) {
  TarBuilder tar;
  nlohmann::json manifest = nlohmann::json::array();
  int count = 0;
  for (const ImageSpec& spec : specs) {
    nlohmann::json item;
    item["Layers"] = nlohmann::json::array();
    for (const std::string& layer : spec.layers) {
      const std::string name = "layer" + std::to_string(++count) + "/layer.tar";
      tar.file(name, layer);
      item["Layers"].push_back(name);
    }
    item["Config"] = "config" + std::to_string(++count) + ".json";
    tar.file(item["Config"], configOf(spec));
    item["RepoTags"] = spec.tags.empty() ? nlohmann::json() : nlohmann::json(spec.tags);
    manifest.push_back(item);
  }
  return tar.file("manifest.json", manifest.dump()).finish();
}

ImageStream memoryStream(const std::string& input, std::string& output, std::size_t piece) {
  ImageStream stream;
  auto at = std::make_shared<std::size_t>(0);
  stream.read = [&input, at, piece](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t part = std::min({size, piece, input.size() - *at});
    std::memcpy(buffer, input.data() + *at, part);
    *at += part;
    return part;
  };
  stream.write = [&output](std::string_view bytes) -> Result<void> {
    output += bytes;
    return {};
  };
  stream.cancelled = [] { return false; };
  return stream;
}

void ImageStoreTest::SetUp() {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root: chroot, mknod and trusted attributes";
  }
  std::string pattern =
      "/var/tmp/flotilla-images-XXXXXX";  // /tmp may be a tmpfs without attributes
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  base_ = pattern;
  open();
}

void ImageStoreTest::TearDown() {
  close();
  if (!base_.empty()) {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }
}

void ImageStoreTest::open() {
  const Paths paths((base_ / "root").string(), (base_ / "run").string());
  fs::create_directories(paths.root());
  auto database = Database::open(paths.database(), imageMigrations());
  ASSERT_TRUE(database) << database.error().message();
  database_ = *std::move(database);
  auto store = LocalImageStore::create(
      {.paths = paths,
       .unpack_program = unpackProgram(),
       .version = "0.1.0",
       .containers = [this](Transaction&,
                            const std::string& id) -> Result<std::vector<ContainerUse>> {
         std::vector<ContainerUse> uses;
         std::copy_if(containers_.begin(), containers_.end(), std::back_inserter(uses),
                      [&](const ContainerUse& use) { return id.empty() || use.image_id == id; });
         return uses;
       }},
      *database_, events_);
  ASSERT_TRUE(store) << store.error().message();
  store_ = *std::move(store);
}

void ImageStoreTest::close() {
  store_.reset();
  database_.reset();
}

std::string ImageStoreTest::load(const std::string& archive, bool quiet) {
  std::string output;
  ImageStream stream = memoryStream(archive, output);
  const auto loaded = loadImages(store_->context(), stream, {.quiet = quiet});
  return loaded ? output : output + errorLine(loaded.error());
}

std::string ImageStoreTest::loadError(const std::string& archive) {
  std::string output;
  ImageStream stream = memoryStream(archive, output);
  const auto loaded = loadImages(store_->context(), stream, {.quiet = true});
  if (loaded) {
    return "";
  }
  EXPECT_EQ(loaded.error().kind(), ErrorKind::InvalidArgument) << loaded.error().message();
  return loaded.error().message();
}

std::string ImageStoreTest::save(const std::vector<std::string>& names) {
  std::string output;
  const std::string none;
  ImageStream stream = memoryStream(none, output);
  const auto plan = planSave(store_->context(), names);
  if (!plan) {
    return plan.error().message();
  }
  const auto saved = saveImages(*plan, stream);
  EXPECT_TRUE(saved) << saved.error().message();
  return output;
}

nlohmann::json ImageStoreTest::list(const std::string& filters, bool all, ApiVersion version) {
  const auto text =
      listImages(store_->context(), {.all = all, .shared_size = true, .filters = filters}, version);
  return text ? nlohmann::json::parse(*text) : nlohmann::json(text.error().message());
}

nlohmann::json ImageStoreTest::inspect(const std::string& name, ApiVersion version) {
  const auto text = inspectImage(store_->context(), name, version);
  return text ? nlohmann::json::parse(*text) : nlohmann::json(text.error().message());
}

std::vector<std::string> ImageStoreTest::remove(const std::string& name, bool force) {
  const auto removed = removeImage(store_->context(), name, {.force = force});
  if (!removed) {
    return {removed.error().message()};
  }
  std::vector<std::string> lines;
  for (const RemovalLine& line : *removed) {
    lines.push_back((line.kind == RemovalLine::Kind::Untagged ? "Untagged: " : "Deleted: ") +
                    line.what);
  }
  return lines;
}

std::vector<std::string> ImageStoreTest::files() const {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(base_)) {
    const std::string name = fs::relative(entry.path(), base_).string();
    if (name.find("engine.db") == std::string::npos &&
        name.find("images.lock") == std::string::npos) {
      out.push_back(name);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

fs::path ImageStoreTest::top(const std::string& name) {
  const auto image = store_->resolve(name);
  EXPECT_TRUE(image) << image.error().message();
  const auto dirs = store_->lowerDirs(image->chain_ids);
  return fs::path(store_->linkDir()) / dirs.value().front();
}

}  // namespace flotilla::engine::testing
