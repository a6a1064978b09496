#include "engine/runtime/journal.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

constexpr const char* kStart =
    R"({"seq":1,"run":1,"what":"start","time":5,"pid":42,"pid_start":7,"boot":"b"})"
    "\n";
constexpr const char* kExit =
    R"({"seq":2,"run":1,"what":"exit","exit_code":137,"oom":true,"restarting":true,"delay_ms":200})"
    "\n";

TEST(Journal, ReadsLinesInOrder) {
  const auto lines = parseJournal(std::string(kStart) + kExit, 0);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].what, JournalLine::What::Start);
  EXPECT_EQ(lines[0].pid, 42);
  EXPECT_EQ(lines[0].boot, "b");
  EXPECT_EQ(lines[1].exit_code, 137);
  EXPECT_TRUE(lines[1].oom);
  EXPECT_TRUE(lines[1].restarting);
  EXPECT_EQ(lines[1].delay_ms, 200);
}

TEST(Journal, SkipsWhatWasConsumed) {
  const auto lines = parseJournal(std::string(kStart) + kExit, 1);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].seq, 2U);
}

TEST(Journal, ToleratesATornLastLine) {
  const std::string torn = std::string(kStart) + R"({"seq":2,"run":1,"what":"ex)";
  EXPECT_EQ(parseJournal(torn, 0).size(), 1U);
  EXPECT_EQ(parseJournal(std::string(kStart) + R"({"seq":2,"what":"end"})", 0).size(), 1U);
}

TEST(Journal, SkipsLinesThatAreNotTransitions) {
  EXPECT_TRUE(parseJournal("\n[]\n{\"seq\":\"x\"}\n{\"seq\":3,\"what\":\"dance\"}\n", 0).empty());
}

TEST(Journal, CarriesTheReasonOfAFailedStart) {
  const auto lines = parseJournal(
      R"({"seq":9,"what":"start_failed","error":"no","kind":"invalid_argument","code":127})"
      "\n",
      0);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].exit_code, 127);
  EXPECT_EQ(lines[0].error, "no");
  EXPECT_EQ(lines[0].error_kind, ErrorKind::InvalidArgument);
}

TEST(Journal, MissingFileIsEmpty) {
  const auto lines = readJournal("/nonexistent/journal", 0);
  ASSERT_TRUE(lines.has_value());
  EXPECT_TRUE(lines->empty());
}

}  // namespace
}  // namespace flotilla::engine
