#include "engine/jobs/container_filters.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/store/container_store.h"
#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

class ContainerFiltersTest : public ::testing::Test {
 protected:
  ContainerFiltersTest() {
    std::string pattern = ::testing::TempDir() + "flotilla-filters-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    database_ = Database::open(dir_ + "/engine.db", coreMigrations()).value();
    catalog_ = std::make_unique<ContainerCatalog>(*database_);
    spec_.image = "busybox:1";
    spec_.image_id = "sha256:aa";
    record_.id = "abcdef0123";
    record_.name = "web-1";
    record_.created_ns = 20;
  }
  ~ContainerFiltersTest() override {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  Result<ContainerFilters> parse(const std::string& text) {
    return ContainerFilters::parse(text, *catalog_, [](const std::string& reference) {
      return std::string(reference == "busybox" ? "sha256:aa" : "");
    });
  }
  bool matches(const std::string& text) {
    record_.spec = std::make_shared<const ContainerSpec>(spec_);
    const auto filters = parse(text);
    EXPECT_TRUE(filters) << filters.error().message();
    return filters && filters->matches(record_);
  }
  std::string refusal(const std::string& text) {
    const auto filters = parse(text);
    return filters ? "" : filters.error().message();
  }

  std::string dir_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ContainerCatalog> catalog_;
  ContainerSpec spec_;
  ContainerRecord record_;
};

TEST_F(ContainerFiltersTest, NamesMatchWithAndWithoutSlashAndAsExpressions) {
  for (const std::string value : {"web-1", "/web-1", "web", "^/web", "^web-1$", "w.b", "b-[0-9]"}) {
    EXPECT_TRUE(matches(R"({"name":[")" + value + R"("]})")) << value;
  }
  for (const std::string value : {"web-2", "^eb", "web$", "("}) {
    EXPECT_FALSE(matches(R"({"name":[")" + value + R"("]})")) << value;
  }
  EXPECT_TRUE(matches(R"({"name":["nothing","web"]})")) << "values are alternatives";
}

TEST_F(ContainerFiltersTest, IdsMatchByPrefixAndAsExpressions) {
  EXPECT_TRUE(matches(R"({"id":["abc"]})"));
  EXPECT_TRUE(matches(R"({"id":["^abc.*3$"]})"));
  EXPECT_FALSE(matches(R"({"id":["^bcd"]})"));
}

TEST_F(ContainerFiltersTest, APatternThatWouldCostTooMuchMatchesNothingElse) {
  record_.name = "aaaa";
  EXPECT_TRUE(matches(R"({"name":["a{4}"]})"));
  EXPECT_FALSE(matches(R"({"name":["((a{0,255}){0,255}){0,255}"]})"));
  EXPECT_FALSE(matches(R"({"name":["(a+)\\1"]})"));
  EXPECT_EQ(refusal(R"({"name":[")" + std::string(1025, 'a') + R"("]})"),
            "invalid filter 'name=" + std::string(32, 'a') + "...': longer than 1024 characters");
}

TEST_F(ContainerFiltersTest, StatusAndExitCodeLookAtStoppedContainersToo) {
  record_.state.status = ContainerStatus::Exited;
  record_.state.exit_code = 3;
  EXPECT_TRUE(parse(R"({"status":["exited"]})")->wantsAll());
  EXPECT_TRUE(parse(R"({"exited":["3"]})")->wantsAll());
  EXPECT_FALSE(parse(R"({"name":["web"]})")->wantsAll());
  EXPECT_TRUE(matches(R"({"status":["running","exited"]})"));
  EXPECT_FALSE(matches(R"({"status":["running"]})"));
  EXPECT_TRUE(matches(R"({"exited":["3"]})"));
  EXPECT_FALSE(matches(R"({"exited":["0"]})"));
  record_.state.status = ContainerStatus::Running;
  EXPECT_FALSE(matches(R"({"exited":["3"]})"));
}

TEST_F(ContainerFiltersTest, LabelsMustAllMatch) {
  spec_.config.labels = {{"tier", "front"}, {"team", "a"}};
  EXPECT_TRUE(matches(R"({"label":["tier","team=a"]})"));
  EXPECT_FALSE(matches(R"({"label":["tier","team=b"]})"));
  EXPECT_FALSE(matches(R"({"label":["other"]})"));
}

TEST_F(ContainerFiltersTest, AncestorIsAnImageByIdOrAsItWasNamed) {
  EXPECT_TRUE(matches(R"({"ancestor":["busybox"]})"));
  EXPECT_TRUE(matches(R"({"ancestor":["busybox:1"]})"));
  EXPECT_FALSE(matches(R"({"ancestor":["alpine"]})"));
}

TEST_F(ContainerFiltersTest, VolumesNetworksAndPorts) {
  spec_.mounts.push_back({.type = "volume", .name = "data", .source = "/x", .destination = "/d"});
  spec_.mounts.push_back({.type = "bind", .source = "/host", .destination = "/h"});
  spec_.host.network_mode = "bridge";
  spec_.config.exposed_ports = {"80/tcp"};
  record_.state.attached = true;
  record_.state.endpoint.network_id = "n1";
  record_.state.endpoint.ports.push_back({"tcp", 80, "0.0.0.0", 8080});
  for (const std::string yes :
       {R"({"volume":["data"]})", R"({"volume":["/d"]})", R"({"volume":["/host"]})",
        R"({"network":["bridge"]})", R"({"network":["n1"]})", R"({"publish":["80"]})",
        R"({"publish":["8080/tcp"]})", R"({"expose":["80"]})", R"({"health":["none"]})",
        R"({"is-task":["false"]})"}) {
    EXPECT_TRUE(matches(yes)) << yes;
  }
  for (const std::string no :
       {R"({"volume":["/x"]})", R"({"network":["host"]})", R"({"publish":["80/udp"]})",
        R"({"expose":["81"]})", R"({"health":["healthy"]})", R"({"is-task":["true"]})"}) {
    EXPECT_FALSE(matches(no)) << no;
  }
}

TEST_F(ContainerFiltersTest, BeforeAndSinceCompareWithAnotherContainer) {
  ContainerRecord other;
  other.id = "ffff";
  other.name = "other";
  other.created_ns = 10;
  other.spec = std::make_shared<const ContainerSpec>();
  ASSERT_TRUE(database_->write(Durability::Relaxed, [&](Transaction& transaction) {
    return insertContainer(transaction, other);
  }));
  EXPECT_TRUE(matches(R"({"since":["other"]})"));
  EXPECT_FALSE(matches(R"({"before":["other"]})"));
  EXPECT_TRUE(matches(R"({"since":["1970-01-01T00:00:00.000000019Z"]})"));
  EXPECT_FALSE(matches(R"({"since":["1970-01-01T00:00:00.000000020Z"]})"));
  EXPECT_EQ(refusal(R"({"before":["none"]})"), "No such container: none");
}

TEST_F(ContainerFiltersTest, RefusesInDockersWords) {
  EXPECT_EQ(refusal(R"({"foo":["x"]})"), "invalid filter 'foo'");
  EXPECT_EQ(refusal(R"({"exited":["x"]})"),
            "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(refusal(R"({"status":["gone"]})"),
            "invalid filter 'status=gone': invalid value for state (gone): must be one of created, "
            "running, paused, restarting, removing, exited, dead");
}

}  // namespace
}  // namespace flotilla::engine
