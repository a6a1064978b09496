#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <array>
#include <fstream>

#include "tests/integration/images/image_fixture.h"

namespace flotilla::engine::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using LoadTest = ImageStoreTest;

std::string contentOf(const fs::path& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct stat statOf(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

std::string xattrOf(const fs::path& path, const char* name) {
  std::array<char, 64> value{};
  const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
  return std::string(value.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

TEST_F(LoadTest, KeepsIdTagsAndTree) {
  ImageSpec spec{
      {TarBuilder().directory("./").directory("./etc").file("./etc/hello", "hi\n").finish()}};
  spec.tags = {"busybox:1", "localhost:5000/x/y:z"};
  const std::string id = imageIdOf(spec);
  EXPECT_EQ(
      load(dockerArchive({spec})),
      "{\"stream\":\"Loaded image: busybox:1\\n\"}\r\n{\"stream\":\"Loaded image: localhost:5000/x/y:z\\n\"}\r\n");
  EXPECT_THAT(events_.take(), ElementsAre("load " + id));
  EXPECT_EQ(store_->resolve("busybox:1").value().id, id);
  EXPECT_EQ(store_->resolve(id.substr(7, 8)).value().id, id);
  EXPECT_EQ(contentOf(top("busybox:1") / "etc/hello"), "hi\n");
  EXPECT_EQ(store_->resolve("busybox").error().message(), "No such image: busybox:latest");
}

TEST_F(LoadTest, NamesIdsOnlyWhenNothingIsTagged) {
  const ImageSpec spec{{TarBuilder().file("a", "a").finish()}};
  EXPECT_EQ(load(dockerArchive({spec})),
            "{\"stream\":\"Loaded image ID: " + imageIdOf(spec) + "\\n\"}\r\n");
}

TEST_F(LoadTest, MovesANameAndSaysSo) {
  ImageSpec first{{TarBuilder().file("a", "1").finish()}, {}, {"x:1"}};
  ImageSpec second{{TarBuilder().file("a", "2").finish()}, {}, {"x:1"}};
  load(dockerArchive({first}));
  EXPECT_EQ(load(dockerArchive({second})),
            "{\"stream\":\"The image x:1 already exists, renaming the old one with ID " +
                imageIdOf(first) +
                " to empty string\\n\"}\r\n{\"stream\":\"Loaded image: x:1\\n\"}\r\n");
}

TEST_F(LoadTest, UnpacksEveryKindOfEntry) {
  TarBuilder tar;
  tar.header({.name = "setuid", .size = 3, .mode = 04755, .uid = 12, .gid = 34}).content("abc");
  tar.hardlink("linked", "setuid").symlink("d/link", "/etc/passwd").device("null", '3', 1, 3);
  tar.header({.name = "fifo", .type = '6'}).directory("sticky", 01777);
  tar.pax({{"SCHILY.xattr.security.capability",
            std::string(
                "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                20)},
           {"SCHILY.xattr.trusted.overlay.redirect", "/x"}});
  tar.file("capable", "x", 0755);
  tar.pax({{"path", "caf\xc3\xa9/e\xcc\x81"}, {"mtime", "1600000001.5"}}).file("short", "name");
  const ImageSpec spec{{tar.finish()}, {}, {"x:1"}};
  EXPECT_THAT(load(dockerArchive({spec})), HasSubstr("Loaded image"));
  const fs::path root = top("x:1");
  const struct stat setuid = statOf(root / "setuid");
  EXPECT_EQ(setuid.st_mode, S_IFREG | 04755U);
  EXPECT_EQ(setuid.st_uid, 12U);
  EXPECT_EQ(setuid.st_gid, 34U);
  EXPECT_EQ(setuid.st_nlink, 2U);
  EXPECT_EQ(setuid.st_mtime, 1'600'000'000);
  EXPECT_EQ(fs::read_symlink(root / "d/link"), "/etc/passwd");
  EXPECT_EQ(statOf(root / "null").st_rdev, makedev(1, 3));
  EXPECT_TRUE(S_ISFIFO(statOf(root / "fifo").st_mode));
  EXPECT_EQ(statOf(root / "sticky").st_mode, S_IFDIR | 01777U);
  EXPECT_EQ(xattrOf(root / "capable", "security.capability").size(), 20U);
  EXPECT_EQ(xattrOf(root / "capable", "trusted.overlay.redirect"), "");
  EXPECT_EQ(contentOf(root / "caf\xc3\xa9/e\xcc\x81"), "name");  // not normalised
  EXPECT_EQ(statOf(root / "caf\xc3\xa9/e\xcc\x81").st_mtim.tv_nsec, 500'000'000);
  EXPECT_EQ(inspect("x:1")["Size"], 3 + 11 + 1 + 4);  // each inode once, a symlink's target counts
}

TEST_F(LoadTest, TurnsWhiteoutsIntoOverlaysOwn) {
  TarBuilder tar;
  tar.file("dir/.wh.gone", "").file("opaque/.wh..wh..opq", "").file("opaque/new", "n");
  tar.file("both", "kept").file(".wh.both", "");
  tar.file(".wh.redone", "")
      .directory("redone")
      .file(".wh..wh.plnk/x", "")
      .file(".wh..wh.aufs", "");
  const ImageSpec spec{{tar.finish()}, {}, {"x:1"}};
  EXPECT_THAT(load(dockerArchive({spec})), HasSubstr("Loaded image"));
  const fs::path root = top("x:1");
  const struct stat gone = statOf(root / "dir/gone");
  EXPECT_TRUE(S_ISCHR(gone.st_mode));
  EXPECT_EQ(gone.st_rdev, 0U);
  EXPECT_EQ(xattrOf(root / "opaque", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(contentOf(root / "opaque/new"), "n");
  EXPECT_EQ(contentOf(root / "both"), "kept");  // a whiteout never hides its own layer's file
  EXPECT_EQ(xattrOf(root / "redone", "trusted.overlay.opaque"), "y");
  EXPECT_FALSE(fs::exists(root / ".wh..wh.aufs"));
}

TEST_F(LoadTest, SharesLayersAndUnpacksAgainUnderAnotherChain) {
  const std::string a = TarBuilder().file("a", "a").finish();
  const std::string b = TarBuilder().file("b", "b").finish();
  load(dockerArchive({{{a, b}, {}, {"ab:1"}}, {{b, a}, {}, {"ba:1"}}, {{a}, {}, {"a:1"}}}));
  EXPECT_EQ(contentOf(top("ab:1") / "b"), "b");
  EXPECT_EQ(contentOf(top("ba:1") / "a"), "a");
  EXPECT_EQ(contentOf(top("a:1") / "a"), "a");
  EXPECT_EQ(std::distance(fs::directory_iterator(base_ / "root/blobs/sha256"), {}), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(base_ / "root/layers"), {}), 4);
}

TEST_F(LoadTest, SurvivesAReopen) {
  const ImageSpec spec{{TarBuilder().file("a", "a").finish()}, {}, {"x:1"}};
  load(dockerArchive({spec}));
  const auto before = files();
  fs::create_directories(base_ / "root/layers/0123/fs/half");  // a crash between rename and commit
  fs::create_directories(base_ / "root/tmp/images-dead/tree1/fs");
  std::ofstream(base_ / "root/blobs/sha256/4567") << "x";
  fs::create_symlink("../layers/0123/fs", base_ / "root/l/0123");
  close();
  open();
  EXPECT_EQ(files(), before);
  EXPECT_EQ(contentOf(top("x:1") / "a"), "a");
}

TEST_F(LoadTest, ManyEntries) {
  TarBuilder tar;
  for (int i = 0; i < 100'000; ++i) {
    tar.file("d" + std::to_string(i % 100) + "/f" + std::to_string(i), "");
  }
  EXPECT_THAT(load(dockerArchive({{{tar.finish()}, {}, {"x:1"}}})), HasSubstr("Loaded image"));
  EXPECT_EQ(std::distance(fs::directory_iterator(top("x:1") / "d7"), {}), 1000);
}

TEST_F(LoadTest, DeepTreesAreRemoved) {
  TarBuilder tar;
  std::string path = "a";
  for (int i = 0; i < 90; ++i) {
    path += "/a";
  }
  std::string prefix;
  for (int i = 0; i < 20;
       ++i) {  // each link makes the next path reach deeper than a name may be long
    tar.pax({{"path", prefix + path + "/f"}}).file("x", "");
    tar.pax({{"path", "l" + std::to_string(i)}, {"linkpath", prefix + path}}).symlink("x", "y");
    prefix = "l" + std::to_string(i) + "/";
  }
  EXPECT_THAT(load(dockerArchive({{{tar.finish()}, {}, {"x:1"}}})), HasSubstr("Loaded image"));
  EXPECT_THAT(remove("x:1"), Not(IsEmpty()));
  EXPECT_EQ(std::distance(fs::directory_iterator(base_ / "root/layers"), {}), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(base_ / "root/tmp"), {}), 0);
}

}  // namespace
}  // namespace flotilla::engine::testing
