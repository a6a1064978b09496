#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/redis/redis_connection.h"

namespace flotilla {

/// Who answers at an address of the discovery list.
struct HostRecord {
  std::string engine_id;
  std::string name;
  std::string refusal;  // why it serves no jobs, "" when it does

  friend bool operator==(const HostRecord&, const HostRecord&) = default;
};

/// As it is kept in hosts:<address> (redis_keys.h).
std::string encodeHostRecord(const HostRecord& record);
/// Errors: Internal.
Result<HostRecord> decodeHostRecord(std::string_view text);

/// Tells gateways who answers at `address`, for as long as it lives. On the reactor's thread.
class HostAnnouncement {
 public:
  HostAnnouncement(Reactor& reactor, RedisConnectionPtr redis, const std::string& cluster,
                   const std::string& address, HostRecord record);
  ~HostAnnouncement();
  HostAnnouncement(const HostAnnouncement&) = delete;
  HostAnnouncement& operator=(const HostAnnouncement&) = delete;

  /// What it says from now on.
  void update(HostRecord record);

 private:
  void tell();

  Reactor& reactor_;
  const RedisConnectionPtr redis_;
  const std::string key_;
  HostRecord record_;
  Reactor::TimerId timer_ = 0;
};

}  // namespace flotilla
