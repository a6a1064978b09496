#include <gmock/gmock.h>

#include "engine/images/image_import.h"
#include "tests/integration/images/image_fixture.h"

namespace flotilla::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

class ImageQueryTest : public ImageStoreTest {
 protected:
  ImageSpec base_spec_{{TarBuilder().file("a", "12345").finish()}, {}, {"base:1"}};
  ImageSpec built_{{base_spec_.layers[0], TarBuilder().file("b", "67").finish()},
                   {},
                   {"built:1", "other/built:2"},
                   {{"Labels", {{"x", "y"}}}, {"Cmd", {"sh"}}}};
  std::string baseId() const { return imageIdOf(base_spec_); }
  std::string builtId() const { return imageIdOf(built_); }
  static std::string chain(const ImageSpec& spec) {
    const std::string first = "sha256:" + sha256Hex(spec.layers[0]);
    return spec.layers.size() == 1
               ? first
               : "sha256:" + sha256Hex(first + " sha256:" + sha256Hex(spec.layers[1]));
  }
  void loadBoth() {
    ASSERT_THAT(load(dockerArchive({base_spec_, built_})), HasSubstr("Loaded image"));
    events_.take();
  }
};

TEST_F(ImageQueryTest, ListsInTheShapeOfEachVersion) {
  loadBoth();
  const Json images = list();
  ASSERT_THAT(images, SizeIs(2));
  const Json& built = images[0]["Id"] == builtId() ? images[0] : images[1];
  EXPECT_EQ(built,
            Json::parse(R"({"Containers":0,"Created":1704164645,"Labels":{"x":"y"},"ParentId":"",
    "RepoDigests":[],"RepoTags":["built:1","other/built:2"],"SharedSize":5,"Size":7,"Id":")" +
                        builtId() + "\"}"));
  const Json older = list("", false, {1, 43});
  EXPECT_EQ(older[0]["VirtualSize"], older[0]["Size"]);
  EXPECT_EQ(older[0]["Containers"], -1);
}

TEST_F(ImageQueryTest, Filters) {
  loadBoth();
  EXPECT_THAT(list(R"({"reference":["b*"]})"), SizeIs(2));
  EXPECT_THAT(list(R"({"reference":["other/*"]})"), SizeIs(1));
  EXPECT_EQ(list(R"({"reference":["other/*"]})")[0]["RepoTags"],
            Json::parse(R"(["other/built:2"])"));
  EXPECT_THAT(list(R"({"label":["x=y"]})"), SizeIs(1));
  EXPECT_THAT(list(R"({"label":["x=z"]})"), IsEmpty());
  EXPECT_THAT(list(R"({"dangling":["true"]})"), IsEmpty());
  EXPECT_THAT(list(R"({"dangling":["false"]})"), SizeIs(2));
  EXPECT_EQ(list(R"({"dangling":["maybe"]})"), "invalid filter 'dangling=[maybe]'");
  EXPECT_EQ(list(R"({"before":["nosuch"]})"), "No such image: nosuch:latest");
  EXPECT_THAT(list(R"({"until":["2020-01-01"]})"), IsEmpty());
  EXPECT_THAT(list(R"({"until":["1h"]})"), SizeIs(2));
}

TEST_F(ImageQueryTest, InspectsInTheShapeOfEachVersion) {
  loadBoth();
  const Json now = inspect("built:1");
  EXPECT_EQ(now["Id"], builtId());
  EXPECT_EQ(now["Created"], "2024-01-02T03:04:05.678Z");
  EXPECT_EQ(now["Config"],
            Json::parse(R"({"Cmd":["sh"],"Entrypoint":null,"Env":null,"Labels":{"x":"y"},
    "OnBuild":null,"User":"","Volumes":null,"WorkingDir":""})"));
  EXPECT_EQ(now["Metadata"]["LastTagTime"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(now["GraphDriver"]["Name"], "overlay2");
  EXPECT_THAT(now["RootFS"]["Layers"], SizeIs(2));
  EXPECT_FALSE(now.contains("VirtualSize"));
  const Json older = inspect("built:1", {1, 43});
  EXPECT_EQ(older["VirtualSize"], 7);
  EXPECT_EQ(older["Config"]["AttachStdin"], false);
  EXPECT_TRUE(older.contains("ContainerConfig"));
  EXPECT_EQ(inspect("Foo"),
            "invalid reference format: repository name (library/Foo) must be lowercase");
}

TEST_F(ImageQueryTest, TagsAndUntags) {
  loadBoth();
  ASSERT_TRUE(tagImage(store_->context(), "base:1", parseRepoTag("t", "").value()));
  EXPECT_THAT(events_.take(), ElementsAre("tag t:latest"));
  EXPECT_NE(inspect("t")["Metadata"]["LastTagTime"], "0001-01-01T00:00:00Z");
  EXPECT_THAT(remove("t"), ElementsAre("Untagged: t:latest"));
  EXPECT_THAT(events_.take(), ElementsAre("untag " + baseId()));
  EXPECT_THAT(remove("t"), ElementsAre("No such image: t:latest"));
}

TEST_F(ImageQueryTest, RemovesExactlyWhatNobodyUses) {
  loadBoth();
  EXPECT_THAT(remove(builtId().substr(7, 12)),
              ElementsAre("conflict: unable to delete " + builtId().substr(7, 12) +
                          " (must be forced) - image is referenced in multiple repositories"));
  EXPECT_THAT(remove(builtId().substr(7, 12), true),
              ElementsAre("Untagged: built:1", "Untagged: other/built:2", "Deleted: " + builtId(),
                          "Deleted: " + chain(built_)));
  EXPECT_TRUE(std::filesystem::exists(top("base:1") / "a"));
  EXPECT_THAT(remove("base:1"), ElementsAre("Untagged: base:1", "Deleted: " + baseId(),
                                            "Deleted: " + chain(base_spec_)));
  EXPECT_THAT(list(), IsEmpty());
  for (const char* folder : {"layers", "l", "blobs/sha256", "tmp"}) {
    EXPECT_TRUE(std::filesystem::is_empty(base_ / "root" / folder)) << folder;
  }
}

TEST_F(ImageQueryTest, ContainersProtectTheirImage) {
  loadBoth();
  containers_ = {{std::string(64, 'c'), baseId(), false}};
  const std::string short_id = baseId().substr(7, 12);
  EXPECT_THAT(
      remove("base:1"),
      ElementsAre("conflict: unable to remove repository reference \"base:1\" (must force) - "
                  "container cccccccccccc is using its referenced image " +
                  short_id));
  EXPECT_THAT(
      remove(short_id),
      ElementsAre("conflict: unable to delete " + short_id +
                  " (must be forced) - image is being used by stopped container cccccccccccc"));
  containers_[0].running = true;
  EXPECT_THAT(
      remove(short_id, true),
      ElementsAre("conflict: unable to delete " + short_id +
                  " (cannot be forced) - image is being used by running container cccccccccccc"));
  EXPECT_THAT(remove("base:1", true), ElementsAre("Untagged: base:1"));
  remove("built:1");
  remove("other/built:2");
  containers_[0].running = false;
  const auto tree = top(baseId());
  EXPECT_THAT(remove(short_id, true), ElementsAre("Deleted: " + baseId()));
  EXPECT_TRUE(std::filesystem::exists(tree / "a"));  // the container still needs it
  close();
  open();
  EXPECT_TRUE(std::filesystem::exists(tree / "a"));
  EXPECT_THAT(list("", true), IsEmpty());
  containers_.clear();
  ASSERT_TRUE(collectHeldImages(store_->context()));
  EXPECT_TRUE(std::filesystem::is_empty(base_ / "root/layers"));
}

TEST_F(ImageQueryTest, SavesWhatItLoaded) {
  loadBoth();
  const std::string archive = save({"built", "other/built:2", "base:1"});
  EXPECT_EQ(archive, save({"built", "other/built:2", "base:1"}));
  EXPECT_EQ(save({"nosuch"}), "No such image: nosuch");
  EXPECT_EQ(save({"built:9"}), "reference does not exist");
  remove(builtId(), true);
  remove(baseId(), true);
  EXPECT_THAT(load(archive), HasSubstr("Loaded image: built:1"));
  EXPECT_EQ(store_->resolve("built:1").value().id, builtId());
  EXPECT_EQ(store_->resolve("other/built:2").value().id, builtId());
  EXPECT_EQ(store_->resolve("base:1").value().id, baseId());
  EXPECT_EQ(archive, save({"built", "other/built:2", "base:1"}));
}

TEST_F(ImageQueryTest, ImportsATarWithChanges) {
  const std::string tar = TarBuilder().file("x", "abc").finish();
  std::string output;
  ImageStream stream = memoryStream(tar, output);
  const auto request = checkImport({.repo = "img",
                                    .tag = "2",
                                    .message = "hello",
                                    .platform = "linux/arm64",
                                    .changes = {"CMD [\"x\"]", "ENV A=b"}},
                                   "amd64");
  ASSERT_TRUE(request) << request.error().message();
  const auto imported = importImage(store_->context(), stream, *request);
  ASSERT_TRUE(imported) << imported.error().message();
  const Json image = inspect("img:2");
  EXPECT_EQ(output, "{\"status\":\"" + image["Id"].get<std::string>() + "\"}\r\n");
  EXPECT_THAT(events_.take(), ElementsAre("tag img:2", "import " + image["Id"].get<std::string>()));
  EXPECT_EQ(image["Architecture"], "arm64");
  EXPECT_EQ(image["Comment"], "hello");
  EXPECT_EQ(image["Config"]["Env"], Json::parse(R"(["A=b"])"));
  EXPECT_EQ(image["RootFS"]["Layers"][0], "sha256:" + sha256Hex(tar));
  EXPECT_EQ(checkImport({.platform = "windows"}, "amd64").error().message(),
            "operating system is not supported");
  EXPECT_EQ(checkImport({.repo = "Img"}, "amd64").error().message(),
            "invalid reference format: repository name (library/Img) must be lowercase");
}

TEST_F(ImageQueryTest, LoadsOciLayoutsOfThisPlatform) {
  const auto blob = [](TarBuilder& tar, const std::string& content) {
    const std::string digest = "sha256:" + sha256Hex(content);
    tar.file("blobs/sha256/" + digest.substr(7), content);
    return Json{{"digest", digest}, {"size", content.size()}};
  };
  TarBuilder tar;
  Json platforms = Json::array();
  for (const char* architecture : {"s390x", "amd64"}) {
    ImageSpec spec{{TarBuilder().file("arch", architecture).finish()}};
    Json manifest;
    manifest["config"] = blob(tar, configOf(spec));
    manifest["layers"] = Json::array({blob(tar, spec.layers[0])});
    Json entry = blob(tar, manifest.dump());
    entry["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    platforms.push_back(entry);
  }
  Json top_entry = blob(tar, Json{{"schemaVersion", 2}, {"manifests", platforms}}.dump());
  top_entry["annotations"]["io.containerd.image.name"] = "docker.io/library/multi:3";
  tar.file("index.json",
           Json{{"schemaVersion", 2}, {"manifests", Json::array({top_entry})}}.dump());
  store_->context().architecture = "amd64";
  EXPECT_EQ(load(tar.file("oci-layout", "{}").finish()),
            "{\"stream\":\"Loaded image: multi:3\\n\"}\r\n");
  EXPECT_TRUE(std::filesystem::exists(top("multi:3") / "arch"));
  EXPECT_EQ(inspect("multi:3")["Size"], 5);
}

}  // namespace
}  // namespace flotilla::engine::testing
