#pragma once

#include <cstdint>
#include <string>

#include "common/job/job.h"
#include "engine/lifecycle/lifecycle.h"

namespace flotilla::engine {

/// The container a job's first argument names. Errors as ContainerCatalog::get.
inline Result<ContainerRecordPtr> namedContainer(Lifecycle& lifecycle, const Job& job) {
  return lifecycle.parts.catalog.get(job.args.empty() ? std::string_view() : job.args.front());
}

inline JobResult emptyResult(const Result<void>& done) {
  return done ? JobResult(JobOutput{}) : JobResult(done.error());
}

/// A number of a query. Errors: Internal in the words (and with the status) dockerd has for it.
Result<std::int64_t> goAtoi(const std::string& text);

/// Keys of `detachKeys` as bytes: "ctrl-p,ctrl-q" and letters. Errors: InvalidArgument.
Result<std::string> parseDetachKeys(const std::string& text);

/// A side of a terminal. Errors: InvalidArgument `invalid resize height "x": invalid syntax`.
Result<unsigned> parseTerminalSize(const Job& job, const char* key, const char* what);

}  // namespace flotilla::engine
