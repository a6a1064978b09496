#include "registry-proxy/http/registry_request.h"

#include <gtest/gtest.h>

#include "registry-proxy/http/access_grants.h"

namespace flotilla::registry {
namespace {

using Kind = RegistryRequest::Kind;

Served<RegistryRequest> parse(const std::string& path, const std::string& query = "") {
  http::Request request;
  request.method = "GET";
  request.path = path;
  request.query = http::Query::parse(query).value();
  return RegistryRequest::parse(request);
}

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(RegistryRequest, KnowsThePullSide) {
  EXPECT_EQ(parse("/v2/")->kind, Kind::Ping);
  const auto manifest = parse("/v2/library/busybox/manifests/1.36");
  EXPECT_EQ(manifest->kind, Kind::Manifest);
  EXPECT_EQ(manifest->registry, "docker.io");
  EXPECT_EQ(manifest->repository, "library/busybox");
  EXPECT_EQ(manifest->reference, "1.36");
  EXPECT_EQ(parse("/v2/a/blobs/" + kDigest)->kind, Kind::Blob);
  EXPECT_EQ(parse("/v2/a/manifests/" + kDigest)->reference, kDigest);
  EXPECT_EQ(parse("/v2/a/tags/list", "ns=localhost:5000")->registry, "localhost:5000");
  EXPECT_EQ(parse("/v2/manifests/blobs/manifests/x")->repository, "manifests/blobs");
}

TEST(RegistryRequest, RefusesTheRest) {
  for (const std::string path :
       {"/", "/v1/x", "/v2/a", "/v2/_catalog", "/v2/manifests/x", "/v2/a/tags/other"}) {
    EXPECT_EQ(parse(path).error().status, 404) << path;
  }
  for (const std::string path :
       {"/v2/A/manifests/x", "/v2/a//b/manifests/x", "/v2/../x/manifests/x", "/v2/a/manifests/-x",
        "/v2/a/manifests/sha256:1", "/v2/a/blobs/latest", "/v2/a/blobs/md5:00"}) {
    EXPECT_EQ(parse(path).error().status, 400) << path;
  }
  for (const std::string registry : {"a/b", "u@host", "host:port", "http://x"}) {
    EXPECT_FALSE(parse("/v2/a/manifests/x", "ns=" + registry)) << registry;
  }
}

TEST(ByteRange, TakesOneRangeOfBytes) {
  EXPECT_EQ(ByteRange::parse("bytes=5-")->first, 5U);
  EXPECT_EQ(ByteRange::parse("bytes=5-9")->last, 9U);
  EXPECT_EQ(ByteRange::parse("bytes=-7")->suffix, 7U);
  for (const char* ignored : {"", "bytes=", "bytes=-", "bytes=9-5", "bytes=-0", "lines=1-2",
                              "bytes=1-2,4-5", "bytes=a-b"}) {
    EXPECT_FALSE(ByteRange::parse(ignored)) << ignored;
  }
}

TEST(ByteRange, IsCutToWhatIsThere) {
  const auto within = [](const char* header, std::uint64_t size) {
    const auto bounds = ByteRange::parse(header)->within(size);
    return bounds ? std::pair(bounds->first, bounds->end)
                  : std::pair(std::uint64_t{0}, std::uint64_t{0});
  };
  using Bounds = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(within("bytes=5-", 10), Bounds(5, 10));
  EXPECT_EQ(within("bytes=5-5", 10), Bounds(5, 6));
  EXPECT_EQ(within("bytes=5-99", 10), Bounds(5, 10));
  EXPECT_EQ(within("bytes=0-18446744073709551615", 10), Bounds(0, 10));
  EXPECT_EQ(within("bytes=-3", 10), Bounds(7, 10));
  EXPECT_EQ(within("bytes=-30", 10), Bounds(0, 10));
  EXPECT_EQ(within("bytes=10-", 10), Bounds(0, 0));
  EXPECT_EQ(within("bytes=0-", 0), Bounds(0, 0));
}

TEST(AccessGrants, AreOfOneCallerAndOneRepository) {
  AccessGrants grants;
  grants.grant("me", "docker.io/a", kDigest);
  EXPECT_TRUE(grants.has("me", "docker.io/a", kDigest));
  EXPECT_FALSE(grants.has("you", "docker.io/a", kDigest));
  EXPECT_FALSE(grants.has("", "docker.io/a", kDigest));
  EXPECT_FALSE(grants.has("me", "docker.io/b", kDigest));
  AccessGrants brief{std::chrono::seconds(0)};
  brief.grant("me", "a", kDigest);
  EXPECT_FALSE(brief.has("me", "a", kDigest));
}

TEST(Refusal, SaysWhatTheUpstreamSaid) {
  const Refusal said =
      Refusal::ofAnswer(404, R"({"errors":[{"code":"NAME_UNKNOWN","message":"no"}]})", "");
  EXPECT_EQ(said.code, "NAME_UNKNOWN");
  EXPECT_EQ(said.message, "no");
  EXPECT_EQ(Refusal::ofAnswer(401, "<html>", "").code, "UNAUTHORIZED");
  EXPECT_EQ(Refusal::ofAnswer(429, "", "7").retry_after, "7");
  EXPECT_EQ(Refusal::ofAnswer(404, R"({"errors":[7]})", "").code, "MANIFEST_UNKNOWN");
}

}  // namespace
}  // namespace flotilla::registry
