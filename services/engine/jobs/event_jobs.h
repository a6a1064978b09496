#pragma once

#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/store/event_store.h"

namespace flotilla::engine {

/// Adds the job `events`. The references outlive the engine.
void addEventJobs(JobEngine& engine, EventStore& events, StreamServer& streams, Reactor& reactor,
                  WallClock clock);

/// "1700000000", "1700000000.000000123" in nanoseconds since the epoch. Errors: as dockerd's.
Result<std::int64_t> parseTimestamp(const std::string& text);

}  // namespace flotilla::engine
