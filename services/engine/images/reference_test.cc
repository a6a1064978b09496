#include "engine/images/reference.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Reference, NormalisesAsDocker) {
  struct Case {
    std::string text, name, tag, digest, familiar;
  };
  const Case cases[] = {
      {"busybox", "docker.io/library/busybox", "", "", "busybox"},
      {"busybox:1.2", "docker.io/library/busybox", "1.2", "", "busybox:1.2"},
      {"docker.io/library/busybox:1", "docker.io/library/busybox", "1", "", "busybox:1"},
      {"index.docker.io/u/x", "docker.io/u/x", "", "", "u/x"},
      {"u/x:y", "docker.io/u/x", "y", "", "u/x:y"},
      {"localhost/x", "localhost/x", "", "", "localhost/x"},
      {"localhost:5000/a/b:c", "localhost:5000/a/b", "c", "", "localhost:5000/a/b:c"},
      {"ghcr.io/a", "ghcr.io/a", "", "", "ghcr.io/a"},
      {"Reg/a", "Reg/a", "", "", "Reg/a"},
      {"[::1]:5000/a", "[::1]:5000/a", "", "", "[::1]:5000/a"},
      {"a@" + kDigest, "docker.io/library/a", "", kDigest, "a@" + kDigest},
      {"a:t@" + kDigest, "docker.io/library/a", "t", kDigest, "a:t@" + kDigest},
      {"a__b-_c", "", "", "", ""},
      {"a__b--c.d", "docker.io/library/a__b--c.d", "", "", "a__b--c.d"},
  };
  for (const Case& c : cases) {
    const auto ref = Reference::parse(c.text);
    if (c.name.empty()) {
      EXPECT_FALSE(ref) << c.text;
      continue;
    }
    ASSERT_TRUE(ref) << c.text << ": " << ref.error().message();
    EXPECT_EQ(ref->name(), c.name);
    EXPECT_EQ(ref->tag, c.tag);
    EXPECT_EQ(ref->digest, c.digest);
    EXPECT_EQ(ref->familiar(), c.familiar);
  }
}

TEST(Reference, RefusesInDockersWords) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "invalid reference format"},
      {"a b", "invalid reference format"},
      {"-x", "invalid reference format"},
      {"foo:-x", "invalid reference format"},
      {"a@b", "invalid reference format"},
      {"x//y", "invalid reference format"},
      {std::string("a\0b", 3), "invalid reference format"},
      {"Foo", "invalid reference format: repository name (library/Foo) must be lowercase"},
      {"a/Foo:x", "invalid reference format: repository name (a/Foo) must be lowercase"},
      {std::string(64, 'a'), "invalid repository name (" + std::string(64, 'a') +
                                 "), cannot specify 64-byte hexadecimal strings"},
      {std::string(300, 'a'), "repository name must not be more than 255 characters"},
  };
  for (const auto& [text, message] : cases) {
    const auto ref = Reference::parse(text);
    ASSERT_FALSE(ref) << text;
    EXPECT_EQ(ref.error().message(), message);
    EXPECT_EQ(ref.error().kind(), ErrorKind::InvalidArgument);
  }
}

TEST(Reference, RepoAndTagParameters) {
  EXPECT_EQ(parseRepoTag("img", "").value().canonical(), "docker.io/library/img:latest");
  EXPECT_EQ(parseRepoTag("img:x", "").value().tag, "x");
  EXPECT_EQ(parseRepoTag("img:x", "y").value().tag, "y");
  EXPECT_EQ(parseRepoTag("img", "-b").error().message(), "invalid tag format");
  EXPECT_EQ(parseRepoTag("img@" + kDigest, "").error().message(), "cannot import digest reference");
}

}  // namespace
}  // namespace flotilla::engine
