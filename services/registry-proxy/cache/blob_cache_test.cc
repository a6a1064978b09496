#include "registry-proxy/cache/blob_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace flotilla::registry {
namespace {

using std::chrono::milliseconds;

class BlobCacheTest : public testing::Test {
 protected:
  BlobCacheTest() {
    std::string pattern = testing::TempDir() + "flotilla-blobs-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~BlobCacheTest() override { std::filesystem::remove_all(folder_); }
  BlobCacheTest(const BlobCacheTest&) = delete;
  BlobCacheTest& operator=(const BlobCacheTest&) = delete;

  std::unique_ptr<BlobCache> open(std::uint64_t budget, std::uint64_t spared = 1000) {
    metrics_ = std::make_unique<Metrics>();
    return BlobCache::open({.folder = folder_, .budget = budget, .spared = spared}, *metrics_)
        .value();
  }

  /// What a fetch does that succeeds.
  static std::shared_ptr<Blob> fill(BlobCache& cache, const std::string& content) {
    const Digest digest = digestOf(content);
    auto lookup = cache.acquire(digest).value();
    EXPECT_TRUE(lookup.fetch);
    EXPECT_EQ(::pwrite(lookup.blob->fd(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    lookup.blob->begin(content.size());
    lookup.blob->received(content.size());
    cache.keep(digest, content.size());
    lookup.blob->complete(content.size());
    return lookup.blob;
  }
  static bool has(BlobCache& cache, const std::string& content) {
    const Digest digest = digestOf(content);
    const auto lookup = cache.acquire(digest).value();
    if (lookup.fetch) {
      cache.giveUp(digest, BlobCache::Beginning::Remove);
    }
    return !lookup.fetch;
  }

  std::string folder_;
  std::unique_ptr<Metrics> metrics_;
};

TEST_F(BlobCacheTest, KeepsWhatIsWholeAcrossRestarts) {
  fill(*open(1000), "content");
  auto again = open(1000);
  const auto lookup = again->acquire(digestOf("content")).value();
  EXPECT_FALSE(lookup.fetch);
  EXPECT_TRUE(lookup.blob->progress().complete);
  EXPECT_EQ(lookup.blob->progress().size, 7U);
}

TEST_F(BlobCacheTest, AllAskersShareOneFetch) {
  auto cache = open(1000);
  const auto first = cache->acquire(digestOf("x")).value();
  const auto second = cache->acquire(digestOf("x")).value();
  EXPECT_TRUE(first.fetch);
  EXPECT_FALSE(second.fetch);
  EXPECT_EQ(first.blob, second.blob);
}

TEST_F(BlobCacheTest, TheLeastRecentlyUsedGoesFirst) {
  auto cache = open(25);
  fill(*cache, "aaaaaaaaaa");
  fill(*cache, "bbbbbbbbbb");
  EXPECT_TRUE(has(*cache, "aaaaaaaaaa"));  // used just now
  fill(*cache, "cccccccccc");
  EXPECT_TRUE(has(*cache, "aaaaaaaaaa"));
  EXPECT_FALSE(has(*cache, "bbbbbbbbbb"));
  EXPECT_TRUE(has(*cache, "cccccccccc"));
}

TEST_F(BlobCacheTest, WithoutABudgetNothingStaysButForItsReaders) {
  auto cache = open(0);
  const auto blob = fill(*cache, "content");
  EXPECT_FALSE(has(*cache, "content"));
  char byte = 0;
  EXPECT_EQ(::pread(blob->fd(), &byte, 1, 6), 1);
  EXPECT_EQ(byte, 't');
}

TEST_F(BlobCacheTest, ABeginningWaitsForTheNextTry) {
  auto cache = open(1000);
  const Digest digest = digestOf("content");
  auto lookup = cache->acquire(digest).value();
  ASSERT_EQ(::pwrite(lookup.blob->fd(), "cont", 4, 0), 4);
  cache->giveUp(digest, BlobCache::Beginning::Wait);
  lookup = cache->acquire(digest).value();
  EXPECT_TRUE(lookup.fetch);
  EXPECT_EQ(::lseek(lookup.blob->fd(), 0, SEEK_END), 4);
  cache->giveUp(digest, BlobCache::Beginning::Remove);
  EXPECT_EQ(::lseek(cache->acquire(digest).value().blob->fd(), 0, SEEK_END), 0);
}

TEST_F(BlobCacheTest, BeginningsAreWithinTheBudgetButForThoseSpared) {
  const auto begin = [](BlobCache& cache, const std::string& content) {
    const Digest digest = digestOf(content);
    const auto lookup = cache.acquire(digest).value();
    EXPECT_TRUE(lookup.fetch);
    EXPECT_EQ(::pwrite(lookup.blob->fd(), "12345678", 8, 0), 8);
    cache.giveUp(digest, BlobCache::Beginning::Wait);
  };
  const auto path = [this](const std::string& content) {
    return folder_ + "/partial/sha256-" + digestOf(content).hex();
  };
  const auto waits = [&path](const std::string& content) {
    return std::filesystem::exists(path(content));
  };
  auto cache = open(25, 8);
  fill(*cache, "aaaaaaaaaa");
  begin(*cache, "b");
  begin(*cache, "c");  // 26 bytes
  EXPECT_FALSE(has(*cache, "aaaaaaaaaa"));
  begin(*cache, "d");
  begin(*cache, "e");
  EXPECT_FALSE(waits("b"));
  EXPECT_TRUE(waits("c"));
  int hours = 3;
  for (const std::string content : {"c", "d", "e"}) {  // else they may be of the same tick
    std::filesystem::last_write_time(
        path(content), std::filesystem::file_time_type::clock::now() - std::chrono::hours(hours--));
  }
  cache = open(25, 8);
  begin(*cache, "f");  // those of earlier processes count as well
  EXPECT_FALSE(waits("c"));
  cache = open(0, 8);
  EXPECT_FALSE(waits("e"));
  EXPECT_TRUE(waits("f"));
}

TEST_F(BlobCacheTest, BeginningsThatNobodyWantsGoAfterADay) {
  auto cache = open(1000);
  std::map<std::string, std::string> paths;
  for (const std::string content : {"old", "new", "running"}) {
    const Digest digest = digestOf(content);
    ASSERT_EQ(::pwrite(cache->acquire(digest).value().blob->fd(), "x", 1, 0), 1);
    if (content != "running") {
      cache->giveUp(digest, BlobCache::Beginning::Wait);
    }
    paths[content] = folder_ + "/partial/sha256-" + digest.hex();
    if (content != "new") {
      std::filesystem::last_write_time(
          paths[content], std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
    }
  }
  cache->removeOldBeginnings();
  EXPECT_FALSE(std::filesystem::exists(paths["old"]));
  EXPECT_TRUE(std::filesystem::exists(paths["new"]));
  EXPECT_TRUE(std::filesystem::exists(paths["running"]));
}

TEST_F(BlobCacheTest, AFileOfAnotherSizeIsNotServed) {
  fill(*open(1000), "content");
  auto cache = open(1000);
  ASSERT_EQ(::truncate((folder_ + "/blobs/sha256/" + digestOf("content").hex()).c_str(), 3), 0);
  EXPECT_FALSE(has(*cache, "content"));
}

TEST(Blob, HoldsTheLastByteBackUntilAllIsChecked) {
  Blob blob{UniqueFd()};
  int woken = 0;
  blob.whenBeyond(0, [&woken] { ++woken; });
  blob.begin(10);
  blob.received(1);
  EXPECT_EQ(blob.progress().available, 0U);
  EXPECT_EQ(woken, 0);
  blob.received(10);
  EXPECT_EQ(blob.progress().available, 9U);
  EXPECT_EQ(woken, 1);
  blob.whenBeyond(9, [&woken] { ++woken; });
  EXPECT_EQ(woken, 1);
  blob.complete(10);
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(blob.progress().available, 10U);
}

TEST(Blob, FailureWakesEverybody) {
  Blob blob{UniqueFd()};
  int woken = 0;
  blob.whenBeyond(100, [&woken] { ++woken; });
  EXPECT_FALSE(blob.waitBegun(milliseconds(0)));
  blob.fail({.status = 502});
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(blob.waitBegun(milliseconds(0)));
  EXPECT_EQ(blob.progress().failure->status, 502);
}

}  // namespace
}  // namespace flotilla::registry
