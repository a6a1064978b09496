#include "common/model/byte_size.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

TEST(ParseByteSize, UnderstandsBinaryUnits) {
  EXPECT_EQ(parseByteSize("512").value(), 512);
  EXPECT_EQ(parseByteSize("10m").value(), 10 << 20);
  EXPECT_EQ(parseByteSize("1.5K").value(), 1536);
  EXPECT_EQ(parseByteSize("64KiB").value(), 65536);
  EXPECT_EQ(parseByteSize("1 gb").value(), 1 << 30);
}

TEST(ParseByteSize, RefusesTheRest) {
  for (const char* bad : {"", "x", "-1", "1x", "1mm", "1bb", "nan", "1e300", "99999999999p"}) {
    EXPECT_EQ(parseByteSize(bad).error().message(), std::string("invalid size: '") + bad + "'");
  }
}

}  // namespace
}  // namespace flotilla::model
