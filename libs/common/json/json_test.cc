#include "common/json/json.h"

#include <gtest/gtest.h>

namespace flotilla::json {
namespace {

TEST(Json, BadTextIsAnErrorNotAnException) {
  for (const auto* text : {"", "{", "{\"a\":}", "nul", "[1,]", "\xff\xfe", "{\"a\":1} x"}) {
    const auto parsed = parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::InvalidArgument);
  }
}

TEST(Json, DepthIsBounded) {
  EXPECT_TRUE(parse(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse(std::string(65, '[') + std::string(65, ']')));
  EXPECT_FALSE(parse(std::string(1000000, '[')));
  EXPECT_TRUE(parse("\"" + std::string(1000, '[') + "\""));
}

TEST(Json, BytesThatAreNotUtf8DoNotThrow) {
  EXPECT_EQ(dump(Json{{"a", "x\xff"}}), "{\"a\":\"x\xEF\xBF\xBD\"}");
  EXPECT_EQ(quote("a\"b\n"), "\"a\\\"b\\n\"");
}

TEST(Json, QuotesEveryByteAsItDumpsIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte) + "z";
    EXPECT_EQ(quote(text), dump(Json(text))) << byte;
  }
  EXPECT_EQ(quote(""), "\"\"");
  EXPECT_EQ(quote("größer"), "\"größer\"");
  std::string out = "[";
  appendQuoted(out, "x");
  EXPECT_EQ(out, "[\"x\"");
}

TEST(Json, MembersAreReadWithTheirType) {
  const auto object = parse(R"({"s":"x","n":3,"b":true,"z":null})").value();
  EXPECT_EQ(stringOr(object, "s", "").value(), "x");
  EXPECT_EQ(stringOr(object, "z", "fallback").value(), "fallback");
  EXPECT_EQ(integerOr(object, "n", 0).value(), 3);
  EXPECT_EQ(integerOr(object, "absent", 9).value(), 9);
  EXPECT_TRUE(boolOr(object, "b", false).value());
  EXPECT_FALSE(integerOr(parse(R"({"n":18446744073709551615})").value(), "n", 0));
  const auto wrong = stringOr(object, "n", "");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("\"n\""), std::string::npos);
}

}  // namespace
}  // namespace flotilla::json
