#include "registry-proxy/upstream/url.h"

#include <gtest/gtest.h>

namespace flotilla::registry {
namespace {

TEST(Url, ParsesWhatRegistriesUse) {
  const Url url = Url::parse("https://registry-1.docker.io/v2/").value();
  EXPECT_EQ(url.host, "registry-1.docker.io");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.text(), "https://registry-1.docker.io/v2/");
  EXPECT_EQ(Url::parse("http://[::1]:5000").value().text(), "http://[::1]:5000/");
  EXPECT_EQ(Url::parse("http://a?b=c").value().target, "/?b=c");
  EXPECT_EQ(Url::parse("http://a:80/x#frag").value().text(), "http://a/x");
}

TEST(Url, RefusesWhatCouldLeadAstray) {
  for (const char* bad : {"", "a/b", "ftp://a/", "http://", "http://u:p@a/", "http://a:0/",
                          "http://a:99999/", "http://a:x/", "http://a b/", "http://a/\r\nX: y"}) {
    EXPECT_FALSE(Url::parse(bad)) << bad;
  }
}

TEST(Url, ResolvesRedirects) {
  const Url from = Url::parse("https://a:444/v2/x").value();
  EXPECT_EQ(from.resolve("/y?z=1").value().text(), "https://a:444/y?z=1");
  EXPECT_EQ(from.resolve("http://b/c").value().text(), "http://b/c");
  EXPECT_EQ(from.resolve("//cdn/c").value().text(), "https://cdn/c");
  EXPECT_FALSE(from.resolve("relative"));
  EXPECT_FALSE(from.resolve("file:///etc/passwd"));
}

}  // namespace
}  // namespace flotilla::registry
