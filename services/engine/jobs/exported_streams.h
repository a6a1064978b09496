#pragma once

#include "common/job/job.h"
#include "common/stream/stream_exporter.h"

namespace flotilla::engine {

/// `context` for a gateway on another host: streams it is told of lead through `exporter`, which
/// outlives the job.
JobContextPtr exportStreams(JobContextPtr context, StreamExporter& exporter);

}  // namespace flotilla::engine
