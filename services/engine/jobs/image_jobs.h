#pragma once

#include <chrono>

#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/images/local_image_store.h"

namespace flotilla::engine {

struct ImageJobOptions {
  /// A load, save or import whose client moves no byte for so long is given up.
  std::chrono::seconds idle{120};
};

/// Adds the jobs image_list, image_inspect, image_history, image_tag, image_remove, image_load,
/// image_save and image_import (docs/jobs.md). What can be checked without the stream is checked
/// before *established*, so that it fails with its status code.
///
/// `bulk` runs the streaming ones, which hold a thread while bytes move: a pool of their own, so
/// that slow uploads never take the threads of starts. The pool must be gone before store and
/// streams.
void addImageJobs(JobEngine& engine, LocalImageStore& store, StreamServer& streams,
                  ThreadPool& bulk, ImageJobOptions options = {});

}  // namespace flotilla::engine
