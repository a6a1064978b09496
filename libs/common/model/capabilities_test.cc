#include "common/model/capabilities.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

const CapabilitySet kSysResource = parseCapability("SYS_RESOURCE").value();
const CapabilitySet kAvailable = knownCapabilities() & ~kSysResource;

CapabilitySet resolve(const std::vector<std::string>& add, const std::vector<std::string>& drop,
                      bool privileged = false) {
  return resolveCapabilities(add, drop, privileged, kAvailable).value();
}

TEST(Capabilities, DefaultsAreDockers) {
  EXPECT_EQ(resolve({}, {}), defaultCapabilities());
  EXPECT_EQ(capabilityNames(defaultCapabilities()).size(), 14U);
}

TEST(Capabilities, AllMeansWhatThisEngineHas) {
  EXPECT_EQ(resolve({"ALL"}, {}), kAvailable);
  EXPECT_EQ(resolve({}, {}, true), kAvailable);
  EXPECT_EQ(resolve({"all"}, {"net_raw"}), kAvailable & ~parseCapability("CAP_NET_RAW").value());
}

TEST(Capabilities, DropAllLeavesWhatIsAdded) {
  EXPECT_EQ(resolve({"NET_ADMIN"}, {"ALL"}), parseCapability("net_admin").value());
  EXPECT_EQ(resolve({}, {"ALL"}), 0U);
}

TEST(Capabilities, MissingDefaultsAreLeftOut) {
  EXPECT_EQ(resolveCapabilities({}, {}, false, 1).value(), 1U);
}

}  // namespace
}  // namespace flotilla::model
