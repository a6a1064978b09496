#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

struct redisReader;

namespace flotilla {

/// One reply of a Redis server. A value.
struct RedisReply {
  enum class Type { Nil, Text, Status, Error, Integer, Array };

  Type type = Type::Nil;
  std::int64_t integer = 0;
  std::string text;                  // of Text, Status and Error
  std::vector<RedisReply> elements;  // of Array

  [[nodiscard]] bool isNil() const { return type == Type::Nil; }
  [[nodiscard]] bool isArray() const { return type == Type::Array; }
};

/// What a server's error reply means here, by its first word: NOAUTH, WRONGPASS and NOPERM are
/// PermissionDenied; OOM, LOADING, READONLY, BUSY, MASTERDOWN, MISCONF, CLUSTERDOWN and TRYAGAIN
/// are Unavailable (it may pass); everything else is Internal. The message keeps the server's
/// words.
Error redisError(std::string_view reply);
/// Whether `error` is the server's reply of that name ("NOGROUP"), however it was put in context.
bool isRedisError(const Error& error, std::string_view name);

/// Cuts a server's bytes into replies. Not thread-safe.
class RedisReplyParser {
 public:
  RedisReplyParser();
  ~RedisReplyParser();
  RedisReplyParser(const RedisReplyParser&) = delete;
  RedisReplyParser& operator=(const RedisReplyParser&) = delete;
  RedisReplyParser(RedisReplyParser&&) noexcept;
  RedisReplyParser& operator=(RedisReplyParser&&) noexcept;

  /// Takes the bytes. Errors: Internal (not Redis' protocol); the parser is of no use then.
  Result<void> feed(std::string_view bytes);
  /// The next whole reply, nothing when more bytes are needed. Errors as feed.
  Result<std::optional<RedisReply>> next();

 private:
  struct ReaderDeleter {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
};

/// `arguments` as a server reads them, appended to `out`.
void appendRedisCommand(std::string& out, const std::vector<std::string_view>& arguments);

}  // namespace flotilla
