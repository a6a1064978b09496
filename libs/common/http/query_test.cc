#include <gtest/gtest.h>

#include "common/http/exchange.h"
#include "common/http/percent.h"

namespace flotilla::http {
namespace {

TEST(Query, KeepsEveryValueOfARepeatedKey) {
  auto query = Query::parse("names=a&names=b%2Fc&all&size=1&&empty=&t=x=y");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->all("names"), (std::vector<std::string>{"a", "b/c"}));
  EXPECT_TRUE(query->has("all"));
  EXPECT_EQ(query->get("all"), "");
  EXPECT_EQ(query->get("size"), "1");
  EXPECT_TRUE(query->has("empty"));
  EXPECT_EQ(query->get("t"), "x=y");
  EXPECT_FALSE(query->has("absent"));
  EXPECT_TRUE(query->all("absent").empty());
  EXPECT_EQ(Query::parse("")->values().size(), 0U);
}

TEST(Query, DecodesEscapesAndRefusesBadOnes) {
  EXPECT_EQ(Query::parse("f=%7B%22label%22%3A%5b%5D%7d")->get("f"), R"({"label":[]})");
  EXPECT_EQ(Query::parse("a+b=c+d%2B")->get("a b"), "c d+");
  for (const char* bad : {"a=%", "a=%2", "a=%zz", "%g0=1"}) {
    auto query = Query::parse(bad);
    ASSERT_FALSE(query) << bad;
    EXPECT_EQ(query.error().kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(query.error().message().find("invalid URL escape"), std::string::npos);
  }
}

TEST(Percent, APlusInAPathIsAPlus) {
  EXPECT_EQ(percentDecode("/c++%2b", PlusSign::Literal).value(), "/c+++");
  EXPECT_EQ(percentDecode("%E2%82%AC", PlusSign::Literal).value(), "\xE2\x82\xAC");
}

TEST(Percent, EncodesAllThatIsNotUnreserved) {
  EXPECT_EQ(percentEncode("aZ0-._~"), "aZ0-._~");
  EXPECT_EQ(percentEncode("a/b c+\xE2"), "a%2Fb%20c%2B%E2");
}

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("content-type", "b");
  headers.add("X", "1");
  EXPECT_EQ(headers.get("CONTENT-TYPE"), "a");
  EXPECT_TRUE(headers.has("x"));
  EXPECT_FALSE(headers.has("Content"));
  EXPECT_EQ(headers.get("absent"), "");
  headers.set("CONTENT-type", "c");
  EXPECT_EQ(headers.get("Content-Type"), "c");
  EXPECT_EQ(headers.fields().size(), 2U);
}

TEST(Headers, TakeOthersBehindTheirOwn) {
  Headers constant;
  constant.add("Server", "gone");
  constant.set("Server", "Docker");
  constant.add("Ostype", "linux");
  Headers headers;
  headers.add(constant);
  headers.add("X", "1");
  headers.add(constant);
  std::string lines;
  headers.appendLines(lines, [](std::string_view name) { return name == "Ostype"; });
  EXPECT_EQ(lines, "Server: Docker\r\nX: 1\r\nServer: Docker\r\n");
  EXPECT_EQ(headers.get("ostype"), "linux");
  EXPECT_EQ(headers.fields().size(), 5U);
}

}  // namespace
}  // namespace flotilla::http
