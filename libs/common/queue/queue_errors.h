#pragma once

#include <string>

#include "common/error/error.h"

namespace flotilla {

// What submitters are told of jobs that were not done, alike by every queue.

inline Error clientGone() {
  return {ErrorKind::Unavailable, "the client went away before the job started"};
}

inline Error notTakenInTime() { return {ErrorKind::Unavailable, "no worker took the job in time"}; }

inline Error notServed(const std::string& engine_id) {
  return {ErrorKind::Unavailable, "no worker serves engine " + engine_id};
}

inline Error queueFull(const std::string& engine_id) {
  return {ErrorKind::Unavailable, "the job queue of engine " + engine_id + " is full"};
}

inline Error leftUnanswered(const std::string& engine_id) {
  return {ErrorKind::Unavailable, "the job left the queue without an answer: a worker of engine " +
                                      engine_id + " refused it (is its cluster key another?)"};
}

inline Error runsAlready(const std::string& job_id) {
  return {ErrorKind::AlreadyExists, "job " + job_id + " is running already"};
}

}  // namespace flotilla
