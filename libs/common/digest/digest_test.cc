#include "common/digest/digest.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

constexpr const char* kAbc256 =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Digest, IsOfTheContent) {
  EXPECT_EQ(digestOf("abc").text(), kAbc256);
  Hasher pieces;
  pieces.update("a");
  pieces.update("bc");
  EXPECT_EQ(pieces.finish(), digestOf("abc"));
  EXPECT_EQ(digestOf("abc", Digest::Algorithm::Sha512).text().substr(0, 23),
            "sha512:ddaf35a193617aba");
}

TEST(Digest, ParsesWhatItPrints) {
  EXPECT_EQ(Digest::parse(kAbc256).value().text(), kAbc256);
  const Digest long_one = digestOf("", Digest::Algorithm::Sha512);
  EXPECT_EQ(Digest::parse(long_one.text()).value(), long_one);
  EXPECT_EQ(long_one.algorithmName(), "sha512");
}

TEST(Digest, RefusesEverythingElse) {
  const std::string hex(64, 'a');
  for (const std::string& text :
       {std::string(), std::string("sha256:"), "sha256:" + hex.substr(1), "sha256:" + hex + "a",
        "SHA256:" + hex, "sha256:" + std::string(64, 'A'), "sha256:" + hex.substr(1) + "/",
        "sha512:" + hex, "md5:" + hex, hex, std::string("sha256")}) {
    EXPECT_FALSE(Digest::isDigest(text)) << text;
  }
}

}  // namespace
}  // namespace flotilla
