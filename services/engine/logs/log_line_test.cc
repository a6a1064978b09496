#include "engine/logs/log_line.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/logs/log_options.h"

namespace flotilla::engine {
namespace {

std::string textOf(const std::string& line) {
  std::string scratch;
  const auto parsed = parseLogLine(line, scratch);
  return parsed ? std::string(parsed->text) : "<none>";
}
std::string ownLine(const std::string& escaped) {
  return R"({"log":")" + escaped + R"(","stream":"stdout","time":"2026-11-22T02:36:17.08444463Z"})";
}

TEST(ParseLogLine, UnescapesAsJson) {
  EXPECT_EQ(textOf(ownLine("hello\\n")), "hello\n");
  EXPECT_EQ(textOf(ownLine(R"(a\"b\\c\t\u003c\u00e9\u20ac\ud83d\ude00\r\n)")), "a\"b\\c\t<é€😀\r\n");
  EXPECT_EQ(textOf(ownLine(R"(\ud800x)")), "\xEF\xBF\xBDx");
  EXPECT_EQ(textOf(ownLine("")), "");
}

TEST(ParseLogLine, ReadsStreamAndTime) {
  std::string scratch;
  const auto line =
      parseLogLine(R"({"log":"x","stream":"stderr","time":"2026-11-22T02:36:17Z"})", scratch);
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->from_stderr);
  EXPECT_EQ(line->time, "2026-11-22T02:36:17Z");
}

TEST(ParseLogLine, TakesOtherFormsOfTheFormat) {
  std::string scratch;
  const auto line = parseLogLine(
      R"({"stream":"stderr","log":"x\n","attrs":{"b":"2","a":"1 &"},"time":"2026-11-22T02:36:17Z","more":1})",
      scratch);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "x\n");
  EXPECT_TRUE(line->from_stderr);
  EXPECT_EQ(detailsText(line->attributes), "a=1+%26,b=2");
}

TEST(ParseLogLine, PassesOverWhatIsNoLine) {
  for (const char* bad :
       {"", "x", R"({"log":"a)", R"({"log":"a\)", R"({"log":"a\u12","stream":"stdout","time":""})",
        R"({"log":"a","stream":"stdout","time":"2026)", "[1]", "null"}) {
    EXPECT_EQ(textOf(bad), "<none>") << bad;
  }
}

TEST(ParseLogLine, MutatedAtRandomNeverCrashes) {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same mutations on every run
  const std::string original = ownLine(R"(a\"b\\c\t\u003c\ud83d\ude00\n)");
  for (int round = 0; round < 20000; ++round) {
    std::string line = original;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      line[random() % line.size()] = "\\\"u{},:x\0\xff"[random() % 10];
    }
    line.resize(random() % 4 == 0 ? random() % line.size() : line.size());
    std::string scratch;
    const auto parsed = parseLogLine(line, scratch);
    EXPECT_TRUE(!parsed || parsed->text.size() <= line.size() * 3);
  }
}

TEST(LogTime, ParsesToNanoseconds) {
  EXPECT_EQ(parseLogTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parseLogTime("2026-11-22T02:36:17.08444463Z"), 1795314977084444630);
  EXPECT_EQ(parseLogTime("2024-02-29T23:59:59.999999999Z"), 1709251199999999999);
  for (const char* bad :
       {"", "2026", "2026-11-22T02:36:17", "2026-11-22T02:36:17+01:00", "xxxx-11-22T02:36:17Z"}) {
    EXPECT_FALSE(parseLogTime(bad)) << bad;
  }
}

TEST(LogTime, IsShownWithNineDigits) {
  auto fixed = [](const char* text) {
    std::string out;
    appendFixedTime(out, text);
    return out;
  };
  EXPECT_EQ(fixed("2026-11-22T02:36:17Z"), "2026-11-22T02:36:17.000000000Z");
  EXPECT_EQ(fixed("2026-11-22T02:36:17.08444463Z"), "2026-11-22T02:36:17.084444630Z");
  EXPECT_EQ(fixed("2026-11-22T02:36:17.123456789Z"), "2026-11-22T02:36:17.123456789Z");
}

std::string optionError(const std::string& key, const std::string& value) {
  JobEnv env;
  env.set("stdout", "1");
  env.set(key, value);
  auto options = LogOptions::parse(env);
  return options ? "accepted" : options.error().message();
}

// Each answer was seen on dockerd 28.5.2.
TEST(LogOptions, RefusesWhatDockerdRefuses) {
  EXPECT_EQ(LogOptions::parse({}).error().message(),
            "Bad parameters: you must choose at least one stream");
  EXPECT_EQ(optionError("stdout", "0"), "Bad parameters: you must choose at least one stream");
  EXPECT_EQ(optionError("since", "x"), R"(strconv.ParseInt: parsing "x": invalid syntax)");
  EXPECT_EQ(optionError("until", "1.5x"), R"(strconv.ParseInt: parsing "5x": invalid syntax)");
  EXPECT_EQ(optionError("since", "2020-01-01T00:00:00Z"),
            R"(strconv.ParseInt: parsing "2020-01-01T00:00:00Z": invalid syntax)");
  EXPECT_EQ(optionError("tail", "x"), "accepted");
}

TEST(LogOptions, ReadsTimesAndTail) {
  JobEnv env;
  env.set("stderr", "true");
  env.set("since", "1700000000.000000005");
  env.set("tail", "+2");
  const auto options = LogOptions::parse(env).value();
  EXPECT_EQ(options.since_ns, 1700000000000000005);
  EXPECT_EQ(options.tail, 2U);
  env.set("tail", "-1");
  env.set("since", "0");
  EXPECT_FALSE(LogOptions::parse(env)->tail.has_value());
  EXPECT_FALSE(LogOptions::parse(env)->since_ns.has_value());
}

}  // namespace
}  // namespace flotilla::engine
