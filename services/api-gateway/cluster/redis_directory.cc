#include "api-gateway/cluster/redis_directory.h"

#include <map>
#include <string_view>
#include <utility>

#include "common/queue/host_record.h"

namespace flotilla::gateway {
namespace {

Result<EngineIdentity> identityIn(const Result<RedisReply>& reply, const std::string& address) {
  if (!reply) {
    return reply.error();
  }
  if (reply->isNil()) {
    return Error{ErrorKind::NotFound, "no engine has announced itself at " + address};
  }
  FLO_TRY_ASSIGN(HostRecord record, decodeHostRecord(reply->text));
  return EngineIdentity{std::move(record.engine_id), std::move(record.name),
                        std::move(record.refusal)};
}

// Scripts: between two commands another gateway may come. KEYS[1]: the name, ARGV[1]: the owner.
constexpr std::string_view kReserve =
    "local held=redis.call('GET',KEYS[1]) "
    "if held and held~=ARGV[1] then return held end "
    "redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) return false";
constexpr std::string_view kDeleteIfOwn =
    "return redis.call('GET',KEYS[1])==ARGV[1] and redis.call('DEL',KEYS[1]) or 0";
constexpr std::size_t kLostKept = 10'000;  // they end by themselves soon

void remember(std::map<std::string, std::string>& lost, const std::string& key,
              const std::string& owner) {
  if (lost.size() >= kLostKept) {
    lost.clear();
  }
  lost[key] = owner;
}

}  // namespace

void RedisDirectory::find(const std::string& address,
                          std::function<void(Result<EngineIdentity>)> done) {
  redis_->send({"GET", keys_.host(address)},
               [address, done = std::move(done)](const Result<RedisReply>& reply) {
                 done(identityIn(reply, address));
               });
}

void RedisDirectory::reserveName(const std::string& name, const std::string& owner,
                                 std::chrono::milliseconds lifetime,
                                 std::function<void(Result<void>)> done) {
  const std::string key = keys_.name(name);
  if (const auto lost = lost_->find(key); lost != lost_->end()) {
    releaseName(name, std::string(lost->second));
  }
  const std::string milliseconds = std::to_string(lifetime.count());
  redis_->send({"EVAL", kReserve, "1", key, owner, milliseconds},
               [lost = lost_, key, owner, done = std::move(done)](const Result<RedisReply>& reply) {
                 if (!reply) {
                   remember(*lost, key, owner);  // it may have been executed
                   done(reply.error());
                 } else if (reply->isNil()) {
                   done({});
                 } else {
                   done(Error{ErrorKind::AlreadyExists, reply->text});
                 }
               });
}

void RedisDirectory::releaseName(const std::string& name, const std::string& owner) {
  const std::string key = keys_.name(name);
  lost_->erase(key);
  redis_->send({"EVAL", kDeleteIfOwn, "1", key, owner},
               [lost = lost_, key, owner](const Result<RedisReply>& reply) {
                 if (!reply) {
                   remember(*lost, key, owner);
                 }
               });
}

}  // namespace flotilla::gateway
