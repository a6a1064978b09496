#include "common/log/log.h"

#include <gtest/gtest.h>

namespace flotilla::log {
namespace {

TEST(Log, TextIsLogfmtAndCannotBeForged) {
  EXPECT_EQ(render(Format::Text, Level::Info, "T", "hi", {{"id", "c1"}, {"path", "/a b"}}),
            "time=\"T\" level=info msg=\"hi\" id=c1 path=\"/a b\"");
  EXPECT_EQ(render(Format::Text, Level::Error, "T", "a\nlevel=info", {{"k", "x\ny=1"}}),
            "time=\"T\" level=error msg=\"a\\nlevel=info\" k=\"x\\ny=1\"");
}

TEST(Log, JsonCarriesTheSameMembers) {
  EXPECT_EQ(render(Format::Json, Level::Warning, "T", "{}", {{"request", "r1"}}),
            R"({"level":"warning","msg":"{}","request":"r1","time":"T"})");
}

TEST(Log, LevelsAndFormatsAreRefusedByName) {
  EXPECT_EQ(parseLevel("warn").value(), Level::Warning);
  EXPECT_NE(parseLevel("loud").error().message().find("loud"), std::string::npos);
  EXPECT_NE(parseFormat("xml").error().message().find("xml"), std::string::npos);
}

TEST(Log, LevelDecidesWhatIsEnabled) {
  init(Level::Warning, Format::Text);
  EXPECT_FALSE(enabled(Level::Info));
  setLevel(Level::Debug);
  EXPECT_TRUE(enabled(Level::Debug));
}

}  // namespace
}  // namespace flotilla::log
