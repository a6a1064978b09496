#include "api-gateway/cluster/redis_directory.h"

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
  return EngineIdentity{std::move(record.engine_id), std::move(record.name), std::move(record.refusal)};
}

}  // namespace

void RedisDirectory::find(const std::string& address, std::function<void(Result<EngineIdentity>)> done) {
  redis_->send({"GET", keys_.host(address)},
               [address, done = std::move(done)](const Result<RedisReply>& reply) {
                 done(identityIn(reply, address));
               });
}

void RedisDirectory::reserveName(const std::string& name, const std::string& owner,
                                 std::chrono::milliseconds lifetime,
                                 std::function<void(Result<void>)> done) {
  const std::string milliseconds = std::to_string(lifetime.count());
  redis_->send({"SET", keys_.name(name), owner, "NX", "PX", milliseconds},
               [done = std::move(done)](const Result<RedisReply>& reply) {
                 if (!reply) {
                   done(reply.error());
                 } else if (reply->isNil()) {
                   done(Error{ErrorKind::AlreadyExists, "the name is reserved"});
                 } else {
                   done({});
                 }
               });
}

void RedisDirectory::releaseName(const std::string& name, const std::string& owner) {
  // Looked at first: after a minute it may be another's. Between the two commands nobody can take
  // it, unless the reservation ends in that very moment; then the check of the hosts still holds.
  const std::string key = keys_.name(name);
  redis_->send({"GET", key}, [redis = redis_, key, owner](const Result<RedisReply>& reply) {
    if (reply && reply->text == owner) {
      redis->send({"DEL", key}, nullptr);
    }
  });
}

}  // namespace flotilla::gateway
