#include <gmock/gmock.h>
#include <zlib.h>

#include "tests/integration/images/image_fixture.h"

namespace flotilla::engine::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Each archive is refused with a message, and leaves the store as it was.
class HostileArchiveTest : public ImageStoreTest {
 protected:
  void SetUp() override {
    ImageStoreTest::SetUp();
    if (store_) {
      before_ = files();
    }
  }

  void expectRefused(const std::string& archive, const ::testing::Matcher<std::string>& message) {
    EXPECT_THAT(loadError(archive), message);
    EXPECT_EQ(files(), before_);
    EXPECT_TRUE(events_.take().empty());
  }
  void expectLayerRefused(const std::string& layer,
                          const ::testing::Matcher<std::string>& message) {
    expectRefused(dockerArchive({{{layer}, {}, {"x:1"}}}), message);
  }

  std::vector<std::string> before_;
};

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(HostileArchiveTest, NamesThatLeaveTheLayer) {
  expectLayerRefused(TarBuilder().file("../../evil", "x").finish(),
                     HasSubstr("invalid entry name \"../../evil\""));
  expectLayerRefused(TarBuilder().file("a/../../evil", "x").finish(),
                     HasSubstr("invalid entry name"));
  expectLayerRefused(TarBuilder().file("/etc/evil", "x").finish(),
                     HasSubstr("invalid entry name \"/etc/evil\""));
  expectLayerRefused(TarBuilder().pax({{"path", std::string(5000, 'a')}}).file("x", "x").finish(),
                     HasSubstr("invalid entry name"));
}

TEST_F(HostileArchiveTest, WritesThroughSymbolicLinks) {
  expectLayerRefused(TarBuilder().symlink("l", "/tmp").file("l/evil", "x").finish(),
                     HasSubstr("path escapes from parent"));
  expectLayerRefused(TarBuilder().symlink("l", "../../../../tmp").file("l/evil", "x").finish(),
                     HasSubstr("path escapes from parent"));
  expectLayerRefused(TarBuilder().symlink("l", "l").file("l/evil", "x").finish(),
                     HasSubstr("symbolic links"));
}

TEST_F(HostileArchiveTest, HardLinksToTheOutside) {
  expectLayerRefused(TarBuilder().hardlink("h", "../../../etc/passwd").finish(),
                     HasSubstr("invalid hardlink target"));
  expectLayerRefused(TarBuilder().hardlink("h", "/etc/passwd").finish(),
                     HasSubstr("invalid hardlink target"));
  expectLayerRefused(TarBuilder().symlink("l", "/etc").hardlink("h", "l/passwd").finish(),
                     HasSubstr("path escapes from parent"));
  expectLayerRefused(TarBuilder().hardlink("h", "absent").finish(), HasSubstr("No such file"));
}

TEST_F(HostileArchiveTest, TruncatedStreams) {
  const std::string layer = TarBuilder().file("a", std::string(20'000, 'y')).finish();
  expectLayerRefused(layer.substr(0, 5000), HasSubstr("unexpected EOF"));
  const std::string packed = gzip(layer);
  expectLayerRefused(packed.substr(0, packed.size() / 2), HasSubstr("unexpected EOF"));
  expectLayerRefused(packed.substr(0, 15), HasSubstr("unexpected EOF"));
  const std::string archive = dockerArchive({{{layer}, {}, {"x:1"}}});
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{3}, std::size_t{700}, std::size_t{10'000}}) {
    expectRefused(archive.substr(0, keep),
                  AnyOf(HasSubstr("unexpected EOF"), HasSubstr("not an image archive")));
  }
}

TEST_F(HostileArchiveTest, SizesThatAreNotThere) {
  for (const std::uint64_t size : {std::uint64_t{1} << 40U, std::uint64_t{1} << 62U}) {
    expectLayerRefused(TarBuilder().header({.name = "big", .size = size}).finish(),
                       AnyOf(HasSubstr("unexpected EOF"), HasSubstr("invalid tar header")));
  }
}

TEST_F(HostileArchiveTest, GarbageInsteadOfATar) {
  std::string noise;
  for (int i = 0; i < 20'000; ++i) {
    noise += static_cast<char>((i * 7919) >> 3U);
  }
  expectLayerRefused(noise, StartsWith("archive/tar: invalid tar header"));
  expectRefused(noise, AnyOf(HasSubstr("invalid tar header"), HasSubstr("unexpected EOF")));
}

TEST_F(HostileArchiveTest, DigestsThatAreWrong) {
  const std::string layer = TarBuilder().file("a", "a").finish();
  const std::string zeros = "sha256:" + std::string(64, '0');
  expectRefused(dockerArchive({{{layer}, {zeros}, {"x:1"}}}),
                "invalid diffID for layer 0: expected \"" + zeros +
                    "\", got \"sha256:" + sha256Hex(layer) + "\"");
  expectRefused(TarBuilder().file("blobs/sha256/" + std::string(64, '0'), layer).finish(),
                HasSubstr("wrong digest of blobs/sha256/000"));
}

TEST_F(HostileArchiveTest, ManifestsThatMakeNoSense) {
  const auto withManifest = [](const std::string& text) {
    return TarBuilder().file("manifest.json", text).finish();
  };
  expectRefused(withManifest("{"), HasSubstr("manifest.json"));
  expectRefused(withManifest("{}"), HasSubstr("not a list of images"));
  expectRefused(withManifest(std::string(100'000, '[')), HasSubstr("manifest.json"));
  expectRefused(withManifest("[{\"Config\":\"../x\"}]"), HasSubstr("no such file in the archive"));
  expectRefused(withManifest("[{\"Config\":7,\"Layers\":[7]}]"),
                HasSubstr("no such file in the archive"));
  const std::string layer = TarBuilder().file("a", "a").finish();
  expectRefused(dockerArchive({{{layer}, {}, {"Foo:1"}}}),
                "invalid reference format: repository name (library/Foo) must be lowercase");
  expectRefused(dockerArchive({{{layer}, {}, {"foo"}}}), "invalid tag \"foo\"");
  expectRefused(dockerArchive({{{layer}, {"nonsense"}, {"x:1"}}}),
                "invalid checksum digest format");
}

TEST_F(HostileArchiveTest, ThingsThatAreNoFilesInTheArchiveItself) {
  expectRefused(TarBuilder().device("manifest.json", '3', 1, 3).finish(),
                HasSubstr("not allowed in an image archive"));
  expectRefused(TarBuilder().symlink("manifest.json", "/etc/passwd").finish(),
                HasSubstr("invalid link"));
  expectRefused(TarBuilder().symlink("manifest.json", "../../etc/passwd").finish(),
                HasSubstr("invalid link"));
  expectRefused(TarBuilder().symlink("manifest.json", "manifest.json").finish(),
                HasSubstr("not an image archive"));
  expectRefused(TarBuilder().file("../manifest.json", "[]").finish(),
                HasSubstr("invalid entry name"));
}

TEST_F(HostileArchiveTest, NamesWithNul) {
  const std::string name("evil\0/../../x", 13);
  const std::string answer = load(
      dockerArchive({{{TarBuilder().pax({{"path", name}}).file("x", "x").finish()}, {}, {"x:1"}}}));
  EXPECT_THAT(answer, AnyOf(HasSubstr("invalid"),
                            HasSubstr("Loaded image")));  // either way nothing outside
  for (const std::string& path : files()) {
    EXPECT_THAT(path, AnyOf(StartsWith("root"), StartsWith("run")));
  }
}

}  // namespace
}  // namespace flotilla::engine::testing
