#include "common/queue/job_entries.h"

#include <utility>

namespace flotilla {

void JobEntries::takeBack(const std::string& engine_id, const std::string& entry,
                          std::function<void(Result<Fate>)> done) {
  side_.ask({"XPENDING", side_.keys.jobs(engine_id), RedisKeys::kGroup, entry, entry, "1"},
            [this, engine_id, entry, done = std::move(done)](const Result<RedisReply>& pending) {
              if (!pending) {
                return done(pending.error());
              }
              if (!pending->elements.empty()) {
                return done(Fate::AtWorker);
              }
              remove(engine_id, entry, done);
            });
}

void JobEntries::remove(const std::string& engine_id, const std::string& entry,
                        const std::function<void(Result<Fate>)>& done) {
  side_.ask({"XDEL", side_.keys.jobs(engine_id), entry}, [done](const Result<RedisReply>& removed) {
    if (!removed) {
      return done(removed.error());
    }
    done(removed->integer == 1 ? Fate::Removed : Fate::Gone);
  });
}

void JobEntries::ifGone(const std::string& engine_id, const std::string& entry,
                        std::function<void()> then) {
  side_.ask({"XRANGE", side_.keys.jobs(engine_id), entry, entry},
            [then = std::move(then)](const Result<RedisReply>& reply) {
              if (reply && reply->elements.empty()) {
                then();
              }
            });
}

void JobEntries::askServed(const std::string& engine_id, std::function<void(bool served)> done) {
  side_.ask({"EXISTS", side_.keys.owner(engine_id)},
            [done = std::move(done)](const Result<RedisReply>& reply) {
              done(!reply || reply->integer != 0);
            });
}

}  // namespace flotilla
