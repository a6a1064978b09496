#include "common/queue/host_record.h"

#include <utility>

#include "common/json/json.h"
#include "common/queue/redis_keys.h"

namespace flotilla {
namespace {

constexpr std::chrono::seconds kRenewal{5};

}  // namespace

std::string encodeHostRecord(const HostRecord& record) {
  return json::dump({{"Id", record.engine_id}, {"Name", record.name}, {"Refusal", record.refusal}});
}

Result<HostRecord> decodeHostRecord(std::string_view text) {
  const auto document = json::parse(text);
  if (!document || !document->is_object()) {
    return Error{ErrorKind::Internal, "the record of a host cannot be read"};
  }
  HostRecord record;
  FLO_TRY_ASSIGN(record.engine_id, json::stringOr(*document, "Id", ""));
  FLO_TRY_ASSIGN(record.name, json::stringOr(*document, "Name", ""));
  FLO_TRY_ASSIGN(record.refusal, json::stringOr(*document, "Refusal", ""));
  if (record.engine_id.empty()) {
    return Error{ErrorKind::Internal, "the record of a host has no engine ID"};
  }
  return record;
}

HostAnnouncement::HostAnnouncement(Reactor& reactor, RedisConnectionPtr redis,
                                   const std::string& cluster, const std::string& address,
                                   HostRecord record)
    : reactor_(reactor),
      redis_(std::move(redis)),
      key_(RedisKeys(cluster).host(address)),
      record_(std::move(record)) {
  tell();
}

HostAnnouncement::~HostAnnouncement() { reactor_.cancelTimer(timer_); }

void HostAnnouncement::update(HostRecord record) {
  record_ = std::move(record);
  reactor_.cancelTimer(timer_);
  tell();
}

void HostAnnouncement::tell() {
  // A failure is the connection's to log; the next renewal makes up for it.
  redis_->send({"SET", key_, encodeHostRecord(record_), "PX", RedisKeys::kHostLifetime}, nullptr);
  timer_ = reactor_.runAfter(kRenewal, [this] { tell(); });
}

}  // namespace flotilla
