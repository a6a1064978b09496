#include "engine/lifecycle/volumes_from.h"

#include "engine/lifecycle/testing/lifecycle_fixture.h"

namespace flotilla::engine {
namespace {

using testing_support::LifecycleTest;
using Strings = std::vector<std::string>;

class VolumesFromTest : public LifecycleTest {
 protected:
  std::string createWith(const std::string& name, const Strings& binds, const Strings& from = {},
                         const Strings& volumes = {}) {
    return create(name, [&](model::CreateRequest& request) {
      request.host.binds = binds;
      request.host.volumes_from = from;
      request.config.volumes = volumes;
    });
  }
  /// "destination source rw", in order.
  Strings mounts(const std::string& id) {
    Strings list;
    for (const MountPoint& mount : catalog_->find(id).value()->spec->mounts) {
      list.push_back(mount.destination + " " +
                     (mount.type == "volume" ? mount.name : mount.source) +
                     (mount.writable ? " rw" : " ro"));
    }
    return list;
  }
};

TEST_F(VolumesFromTest, TakesMountsOverAsTheyAre) {
  createWith("data", {"named:/v", "/srv:/b:ro"});
  EXPECT_EQ(mounts(createWith("user", {}, {"data"})), (Strings{"/v named rw", "/b /srv ro"}));
  EXPECT_EQ(mounts(createWith("reader", {}, {"data:ro"})), (Strings{"/v named ro", "/b /srv ro"}));
}

TEST_F(VolumesFromTest, OwnMountsWinAndUnnamedVolumesYield) {
  const std::string data = createWith("data", {"named:/v"}, {}, {"/anonymous"});
  const Strings given = mounts(data);
  EXPECT_EQ(mounts(createWith("user", {"other:/v"}, {"data"}, {"/anonymous"})),
            (Strings{given.at(1), "/v other rw"}));
}

TEST_F(VolumesFromTest, TheLaterContainerWinsAndDeeperPlacesComeLater) {
  createWith("one", {"a:/x", "deep:/x/y"});
  createWith("two", {"b:/x"});
  EXPECT_EQ(mounts(createWith("user", {}, {"one", "two"})), (Strings{"/x b rw", "/x/y deep rw"}));
}

TEST_F(VolumesFromTest, RefusesAContainerThatIsNotThere) {
  const auto inherited = inheritedMounts(*catalog_, {"nosuch"});
  ASSERT_FALSE(inherited);
  EXPECT_EQ(inherited.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_EQ(inherited.error().message(), "No such container: nosuch");
}

}  // namespace
}  // namespace flotilla::engine
