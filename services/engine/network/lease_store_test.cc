#include "engine/network/lease_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace flotilla::engine {
namespace {

class LeaseStoreTest : public testing::Test {
 protected:
  LeaseStoreTest() {
    std::string pattern = testing::TempDir() + "flotilla-leases-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    database_ = Database::open(root_ + "/engine.db", networkMigrations()).value();
  }
  ~LeaseStoreTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  LeaseStore store(const char* gateway = "172.17.0.1/16") {
    return {*database_, "net", *Ipv4Prefix::parse(gateway)};
  }
  static std::string take(LeaseStore& leases, const std::string& id, const char* address = "") {
    const auto taken = leases.take({{}, id, "ep-" + id, {}}, Ipv4::parse(address));
    return taken ? taken->address.text() : taken.error().message();
  }

  std::string root_;
  std::unique_ptr<Database> database_;
};

TEST_F(LeaseStoreTest, GivesTheLowestFreeAddress) {
  auto leases = store();
  EXPECT_EQ(take(leases, "a"), "172.17.0.2");
  EXPECT_EQ(take(leases, "b"), "172.17.0.3");
  EXPECT_EQ(take(leases, "c"), "172.17.0.4");
  ASSERT_TRUE(leases.release("b"));
  EXPECT_EQ(leases.peek()->text(), "172.17.0.3");
  EXPECT_EQ(take(leases, "d"), "172.17.0.3");
  EXPECT_EQ(take(leases, "e"), "172.17.0.5");
}

TEST_F(LeaseStoreTest, SkipsAGatewayInTheMiddleAndEndsWithTheSubnet) {
  auto leases = store("10.0.0.2/29");
  std::string given;
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    given += take(leases, id) + " ";
  }
  EXPECT_EQ(given, "10.0.0.1 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 ");
  EXPECT_EQ(take(leases, "f"), "no available IPv4 addresses on this network's address pools");
  ASSERT_TRUE(leases.release("c"));
  EXPECT_EQ(take(leases, "f"), "10.0.0.4");
}

TEST_F(LeaseStoreTest, GivesAnAddressAskedForOnce) {
  auto leases = store();
  EXPECT_EQ(take(leases, "a", "172.17.9.9"), "172.17.9.9");
  EXPECT_EQ(take(leases, "b", "172.17.9.9"), "Address already in use");
  EXPECT_EQ(take(leases, "b", "172.18.0.1"),
            "Requested address 172.18.0.1 is not available in 172.17.0.0/16");
  EXPECT_EQ(take(leases, "b", "172.17.0.1"),
            "Requested address 172.17.0.1 is not available in 172.17.0.0/16");
  EXPECT_EQ(take(leases, "b"), "172.17.0.2");
}

TEST_F(LeaseStoreTest, ReplacesAnEarlierLeaseOfTheContainer) {
  auto leases = store();
  const std::vector<PortBinding> ports{{"tcp", 80, "0.0.0.0", 8080}};
  ASSERT_TRUE(leases.take({{}, "a", "first", ports}, std::nullopt));
  const auto again = leases.take({{}, "a", "second", {}}, std::nullopt);
  ASSERT_TRUE(again && again->replaced);
  EXPECT_EQ(again->replaced->ports, ports);
  EXPECT_EQ(again->address.text(), "172.17.0.2");
  EXPECT_EQ(leases.list()->size(), 1U);
}

TEST_F(LeaseStoreTest, ReleaseIsIdempotentAndSaysWhatWasThere) {
  auto leases = store();
  ASSERT_EQ(take(leases, "a"), "172.17.0.2");
  EXPECT_EQ(leases.release("a").value()->endpoint_id, "ep-a");
  EXPECT_FALSE(leases.release("a").value());
}

TEST_F(LeaseStoreTest, ReplaceAllLeavesExactlyThose) {
  auto leases = store();
  take(leases, "a");
  take(leases, "b");
  ASSERT_TRUE(leases.replaceAll({{*Ipv4::parse("172.17.0.7"), "c", "ep", {}}}));
  EXPECT_EQ(leases.list()->size(), 1U);
  EXPECT_EQ(take(leases, "d"), "172.17.0.2");
}

}  // namespace
}  // namespace flotilla::engine
