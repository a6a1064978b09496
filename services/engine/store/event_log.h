#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/error/result.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// One entry of `docker events`.
struct Event {
  std::string type;    // container, image, network, volume, daemon
  std::string action;  // create, start, die, ...
  std::string actor_id;
  std::map<std::string, std::string> attributes;
  std::int64_t time_ns = 0;  // 0 = now
  std::uint64_t seq = 0;     // given by append
};

/// The numbered events of one engine: written in the transaction that causes them, so that none is
/// lost, repeated or out of order (decisions.md 19). Thread-safe.
class EventLog {
 public:
  virtual ~EventLog() = default;
  /// Inside a write of the database. Followers see it after the commit.
  virtual Result<void> append(Transaction& transaction, Event event) = 0;
};

}  // namespace flotilla::engine
