#pragma once

#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/stream/stream_server.h"
#include "engine/logs/log_follower.h"
#include "engine/logs/log_options.h"
#include "engine/logs/log_watch.h"

namespace flotilla::engine {

/// What container_logs needs of the engine. All outlive the jobs; `streams` and `watch` live on
/// `reactor`.
struct LogServices {
  Reactor& reactor;
  LogWatch& watch;
  StreamServer& streams;
};

/// The container whose log is asked for.
struct LogSource {
  std::string path;      // "" when its logging driver keeps nothing that could be read (none)
  bool tty = false;      // raw instead of multiplexed
  bool running = false;  // what does not run is not followed
};

/// Body of the job `container_logs`, once the container was found (LogOptions::parse comes before
/// that: a request without streams is refused even for names that do not exist). Opens the log on
/// the calling thread, sends *established* with a stream endpoint (env tty=1 when raw), moves the
/// bytes on the reactor, completes the job. Cancelling the job ends it at once.
///
/// Returns the follower of a container that runs, to be told when it ended (containerEnded()); may
/// be kept weakly. Null when there is nothing to follow.
std::shared_ptr<LogFollower> serveLogs(const JobContextPtr& context, const LogSource& source,
                                       LogOptions options, const LogServices& services);

}  // namespace flotilla::engine
