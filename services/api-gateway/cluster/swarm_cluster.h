#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api-gateway/cluster/calls/cluster_call.h"
#include "api-gateway/cluster/engine_client.h"
#include "api-gateway/cluster/engine_directory.h"
#include "api-gateway/cluster/membership.h"
#include "common/discovery/discovery.h"
#include "common/stream/stream_client.h"
#include "common/stream/stream_server.h"

namespace flotilla::gateway {

/// Whether a cluster knows what to do with a job of this name. It refuses others by name.
bool isClusterJob(std::string_view job);

struct SwarmOptions {
  std::string strategy = "spread";
  double overcommit = 0.05;
  MembershipOptions membership = {};
  ClusterTimes times = {};
  StreamDial dial = {.timeout = std::chrono::seconds(10)};  // to the engines' streams
};

/// Many hosts as one engine, with the semantics of Docker Swarm classic on today's API: finds what
/// a job is about, chooses hosts for new containers, and makes one answer of many. A host that does
/// not answer costs its own part of an answer, and that is said in a warning.
///
/// submit() and cancel() from any thread; results come on the reactor's.
class SwarmCluster : public EngineClient {
 public:
  /// `streams` is where the gateway's clients come for streams made here. Everything given outlives
  /// the cluster. To be made and destroyed on the reactor's thread, or while it does not run.
  /// Errors: InvalidArgument (strategy).
  static Result<std::unique_ptr<SwarmCluster>> create(SwarmOptions options, Reactor& reactor,
                                                      Membership::Connect connect,
                                                      Discovery& discovery,
                                                      EngineDirectory& directory,
                                                      StreamServer& streams);

  /// Begins to watch discovery. `ready` runs once: when every host that it lists was validated or
  /// refused.
  virtual void start(std::function<void()> ready) = 0;
};

}  // namespace flotilla::gateway
