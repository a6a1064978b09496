#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "common/error/result.h"

namespace flotilla::gateway {

/// Who answers at an address of the discovery list.
struct EngineIdentity {
  std::string engine_id;
  std::string name;
  std::string refusal;  // why it takes no jobs ("" = it does): a cloned host says so here
};

/// What gateways and engines of one cluster agree on beside the queue. On the reactor's thread;
/// answers come there, never within the call.
class EngineDirectory {
 public:
  virtual ~EngineDirectory() = default;

  /// Errors: NotFound (nobody at that address), Unavailable.
  virtual void find(const std::string& address,
                    std::function<void(Result<EngineIdentity>)> done) = 0;

  /// Keeps a container name from everyone else while its container is made or renamed; `lifetime`
  /// ends a reservation whose gateway died, the same owner's next call prolongs it.
  /// Errors: AlreadyExists (its message is the other owner), Unavailable.
  virtual void reserveName(const std::string& name, const std::string& owner,
                           std::chrono::milliseconds lifetime,
                           std::function<void(Result<void>)> done) = 0;
  /// Ends the reservation of `owner`; another's is left alone.
  virtual void releaseName(const std::string& name, const std::string& owner) = 0;
};

}  // namespace flotilla::gateway
