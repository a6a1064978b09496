#include "common/redis/redis_reply.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(RedisReplyParser, EveryType) {
  RedisReplyParser parser;
  ASSERT_TRUE(parser.feed("+OK\r\n-ERR no\r\n:42\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n*0\r\n"));
  const auto next = [&parser] { return parser.next().value().value(); };
  EXPECT_EQ(next().type, RedisReply::Type::Status);
  const auto error = next();
  EXPECT_EQ(error.type, RedisReply::Type::Error);
  EXPECT_EQ(error.text, "ERR no");
  EXPECT_EQ(next().integer, 42);
  EXPECT_EQ(next().text, "abc");
  EXPECT_TRUE(next().isNil());
  EXPECT_TRUE(next().isNil());
  EXPECT_TRUE(next().isArray());
  EXPECT_FALSE(parser.next().value().has_value());
}

TEST(RedisReplyParser, NestedArraysByteByByte) {
  const std::string text =
      std::string("*2\r\n$1\r\na\r\n*2\r\n*1\r\n:7\r\n$4\r\n\r\n") + '\0' + "x\r\n";
  RedisReplyParser parser;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    ASSERT_TRUE(parser.feed(text.substr(i, 1)));
    ASSERT_FALSE(parser.next().value().has_value()) << i;
  }
  ASSERT_TRUE(parser.feed(text.substr(text.size() - 1)));
  const auto reply = parser.next().value().value();
  ASSERT_EQ(reply.elements.size(), 2U);
  EXPECT_EQ(reply.elements[0].text, "a");
  EXPECT_EQ(reply.elements[1].elements.at(0).elements.at(0).integer, 7);
  EXPECT_EQ(reply.elements[1].elements.at(1).text, std::string("\r\n\0x", 4));
}

TEST(RedisReplyParser, RefusesWhatIsNotRedis) {
  RedisReplyParser parser;
  ASSERT_TRUE(parser.feed("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_FALSE(parser.next());
}

TEST(RedisError, KindsByName) {
  EXPECT_EQ(redisError("NOPERM this user has no permissions").kind(), ErrorKind::PermissionDenied);
  EXPECT_EQ(redisError("WRONGPASS invalid").kind(), ErrorKind::PermissionDenied);
  for (const auto* text :
       {"OOM command not allowed", "LOADING Redis is loading", "READONLY You can't write"}) {
    EXPECT_EQ(redisError(text).kind(), ErrorKind::Unavailable) << text;
  }
  EXPECT_EQ(redisError("ERR unknown command").kind(), ErrorKind::Internal);
}

TEST(RedisError, IsFoundByNameInContext) {
  EXPECT_TRUE(isRedisError(redisError("NOGROUP No such key"), "NOGROUP"));
  EXPECT_TRUE(isRedisError(redisError("NOGROUP No such key").context("redis"), "NOGROUP"));
  EXPECT_FALSE(isRedisError(redisError("ERR about NOGROUP"), "NOGROUP"));
  EXPECT_FALSE(isRedisError(redisError("NOGROUPS x"), "NOGROUP"));
}

TEST(RedisCommand, IsLengthPrefixed) {
  std::string out;
  appendRedisCommand(out, {"SET", "k", std::string_view("a\0b", 3), ""});
  EXPECT_EQ(out, std::string("*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\0b\r\n$0\r\n\r\n", 35));
}

}  // namespace
}  // namespace flotilla
