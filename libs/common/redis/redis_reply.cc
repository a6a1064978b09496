#include "common/redis/redis_reply.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <utility>

namespace flotilla {
namespace {

#if HIREDIS_MAJOR >= 1
using ArraySize = std::size_t;
#else
using ArraySize = int;
#endif

/// Where hiredis' reader puts what it has read: the root is new, the rest lies in its parent.
RedisReply* place(const redisReadTask* task) {
  if (task->parent == nullptr) {
    return std::make_unique<RedisReply>().release();  // NOLINT: owned by the reader until next()
  }
  auto* parent = static_cast<RedisReply*>(task->parent->obj);
  return &parent->elements[static_cast<std::size_t>(task->idx)];
}

void* createText(const redisReadTask* task, char* text, std::size_t size) {
  RedisReply* reply = place(task);
  reply->type = task->type == REDIS_REPLY_ERROR    ? RedisReply::Type::Error
                : task->type == REDIS_REPLY_STATUS ? RedisReply::Type::Status
                                                   : RedisReply::Type::Text;
  reply->text.assign(text, size);
  return reply;
}

void* createArray(const redisReadTask* task, ArraySize size) {
  RedisReply* reply = place(task);
  reply->type = RedisReply::Type::Array;
  reply->elements.resize(static_cast<std::size_t>(size));
  return reply;
}

void* createInteger(const redisReadTask* task, long long value) {
  RedisReply* reply = place(task);
  reply->type = RedisReply::Type::Integer;
  reply->integer = value;
  return reply;
}

void* createNil(const redisReadTask* task) { return place(task); }

void freeRoot(void* root) { std::unique_ptr<RedisReply>(static_cast<RedisReply*>(root)).reset(); }

redisReplyObjectFunctions* functions() {
  static redisReplyObjectFunctions table = [] {
    redisReplyObjectFunctions made{};
    made.createString = createText;
    made.createArray = createArray;
    made.createInteger = createInteger;
    made.createNil = createNil;
    made.freeObject = freeRoot;
    return made;
  }();
  return &table;
}

constexpr std::array<std::string_view, 3> kRefusals = {"NOAUTH", "WRONGPASS", "NOPERM"};
constexpr std::array<std::string_view, 8> kPassing = {
    "OOM", "LOADING", "READONLY", "BUSY", "MASTERDOWN", "MISCONF", "CLUSTERDOWN", "TRYAGAIN"};

}  // namespace

Error redisError(std::string_view reply) {
  const std::string_view name = reply.substr(0, reply.find(' '));
  const auto is_name = [name](std::string_view known) { return known == name; };
  ErrorKind kind = ErrorKind::Internal;
  if (std::any_of(kRefusals.begin(), kRefusals.end(), is_name)) {
    kind = ErrorKind::PermissionDenied;
  } else if (std::any_of(kPassing.begin(), kPassing.end(), is_name)) {
    kind = ErrorKind::Unavailable;
  }
  return {kind, std::string(reply)};
}

bool isRedisError(const Error& error, std::string_view name) {
  const std::string& text = error.message();
  const std::size_t at = text.find(name);
  const bool begins =
      at == 0 || (at != std::string::npos && at >= 2 && text[at - 1] == ' ' && text[at - 2] == ':');
  const std::size_t end = at + name.size();
  return begins && (end == text.size() || text[end] == ' ');
}

void RedisReplyParser::ReaderDeleter::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

RedisReplyParser::RedisReplyParser() : reader_(redisReaderCreateWithFunctions(functions())) {}
RedisReplyParser::~RedisReplyParser() = default;
RedisReplyParser::RedisReplyParser(RedisReplyParser&&) noexcept = default;
RedisReplyParser& RedisReplyParser::operator=(RedisReplyParser&&) noexcept = default;

Result<void> RedisReplyParser::feed(std::string_view bytes) {
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    return Error{ErrorKind::Internal, std::string("redis protocol: ") + reader_->errstr};
  }
  return {};
}

Result<std::optional<RedisReply>> RedisReplyParser::next() {
  void* root = nullptr;
  if (redisReaderGetReply(reader_.get(), &root) != REDIS_OK) {
    return Error{ErrorKind::Internal, std::string("redis protocol: ") + reader_->errstr};
  }
  if (root == nullptr) {
    return std::optional<RedisReply>{};
  }
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(root));
  return std::optional<RedisReply>(std::move(*reply));
}

void appendRedisCommand(std::string& out, const std::vector<std::string_view>& arguments) {
  std::vector<const char*> texts(arguments.size());
  std::vector<std::size_t> sizes(arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    // hiredis copies with memcpy, which wants an address even for nothing.
    texts[i] = arguments[i].data() == nullptr ? "" : arguments[i].data();
    sizes[i] = arguments[i].size();
  }
  char* text = nullptr;
  const auto size =
      redisFormatCommandArgv(&text, static_cast<int>(arguments.size()), texts.data(), sizes.data());
  if (size > 0) {
    out.append(text, static_cast<std::size_t>(size));
    redisFreeCommand(text);
  }
}

}  // namespace flotilla
