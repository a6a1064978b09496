#include "engine/images/pull/manifest.h"

#include <gtest/gtest.h>

#include "engine/images/pull/platform.h"

namespace flotilla::engine {
namespace {

const Platform kHost{"linux", "amd64", ""};
const std::string kSomeDigest = "sha256:" + std::string(64, '1');

std::string entry(const std::string& digit, const std::string& platform) {
  return R"({"digest":"sha256:)" + std::string(64, digit[0]) + R"(","size":1,"platform":{)" +
         platform + "}}";
}

TEST(Platform, IsNormalised) {
  EXPECT_EQ(Platform::parse("linux/x86_64", kHost).value().text(), "linux/amd64");
  EXPECT_EQ(Platform::parse("linux/aarch64/v8", kHost).value().text(), "linux/arm64");
  EXPECT_EQ(Platform::parse("arm64", kHost).value().text(), "linux/arm64");
  EXPECT_EQ(Platform::parse("linux", kHost).value().text(), "linux/amd64");
  EXPECT_EQ(Platform::parse("linux/arm", kHost).value().text(), "linux/arm/v7");
  EXPECT_EQ(Platform::parse("Linux/ARM/7", kHost).value().text(), "linux/arm/v7");
}

TEST(Platform, NonsenseIsRefusedInDockersWords) {
  EXPECT_EQ(Platform::parse("a/b/c/d", kHost).error().message(),
            R"("a/b/c/d": cannot parse platform specifier: invalid argument)");
  EXPECT_EQ(Platform::parse("nonsense", kHost).error().message(),
            R"("nonsense": unknown operating system or architecture: invalid argument)");
  EXPECT_TRUE(Platform::parse("lin@x", kHost)
                  .error()
                  .message()
                  .starts_with(R"("lin@x" is an invalid OS component of "lin@x")"));
  EXPECT_FALSE(Platform::parse("linux/", kHost));
}

TEST(Manifest, OfOneImage) {
  const auto manifest = Manifest::parse("application/vnd.docker.distribution.manifest.v2+json",
                                        R"({"schemaVersion":2,"config":{"digest":")" + kSomeDigest +
                                            R"(","size":2},"layers":[{"digest":")" + kSomeDigest +
                                            R"(","size":9}]})");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->kind, Manifest::Kind::Image);
  EXPECT_EQ(manifest->layers.at(0).size, 9U);
}

TEST(Manifest, AnIndexIsKnownByItsContentToo) {
  const std::string text = R"({"manifests":[)" +
                           entry("1", R"("os":"linux","architecture":"arm64","variant":"v8")") +
                           "," + entry("2", R"("os":"linux","architecture":"amd64")") + "," +
                           entry("3", R"("os":"unknown","architecture":"unknown")") + "]}";
  const auto index = Manifest::parse("text/plain; charset=utf-8", text);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->imageFor(kHost).value().digest, "sha256:" + std::string(64, '2'));
  EXPECT_EQ(index->imageFor({"linux", "arm64", ""}).value().digest,
            "sha256:" + std::string(64, '1'));
  EXPECT_EQ(index->imageFor({"linux", "s390x", ""}).error().message(),
            "no matching manifest for linux/s390x in the manifest list entries");
}

TEST(Manifest, TheNewestVariantThatRunsIsChosen) {
  const auto index = Manifest::parse(
      "", R"({"manifests":[)" + entry("5", R"("os":"linux","architecture":"arm","variant":"v5")") +
              "," + entry("6", R"("os":"linux","architecture":"arm","variant":"v6")") + "]}");
  EXPECT_EQ(index->imageFor({"linux", "arm", "v7"}).value().digest,
            "sha256:" + std::string(64, '6'));
  EXPECT_EQ(index->imageFor({"linux", "arm", "v5"}).value().digest,
            "sha256:" + std::string(64, '5'));
}

TEST(Manifest, WhatIsNoneIsRefused) {
  for (const std::string text : {"", "[]", "{}", R"({"schemaVersion":1,"fsLayers":[]})",
                                 R"({"config":{"digest":"x","size":1},"layers":[]})",
                                 R"({"config":{"digest":"sha256:1","size":1},"layers":[]})",
                                 R"({"manifests":{}})", R"({"manifests":[7]})"}) {
    EXPECT_FALSE(Manifest::parse("", text)) << text;
  }
  const auto chart =
      Manifest::parse("", R"({"config":{"mediaType":"application/vnd.x","digest":")" + kSomeDigest +
                              R"(","size":1},"layers":[]})");
  EXPECT_EQ(chart.error().message(), "unsupported media type application/vnd.x");
}

}  // namespace
}  // namespace flotilla::engine
