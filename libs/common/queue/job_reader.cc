#include "common/queue/job_reader.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr std::chrono::milliseconds kGroupRetry{200};
constexpr const char* kReadBlockMs = "4000";
constexpr std::chrono::seconds kReadLimit{9};
constexpr std::size_t kMostRead = 64;  // one worker does not take all while others have nothing

/// Of an answer to XREADGROUP for one stream.
std::span<const RedisReply> entriesRead(const RedisReply& reply) {
  if (!reply.isArray() || reply.elements.empty()) {
    return {};
  }
  return reply.elements[0].elements.at(1).elements;
}

}  // namespace

JobReader::JobReader(EngineSide& side, const EngineOwnership& ownership, Hooks hooks)
    : side_(side),
      ownership_(ownership),
      hooks_(std::move(hooks)),
      reader_(
          side.connection("reader", side.worker,
                          {.on_ready = side.guard([this] {
                             if (ownership_.owned()) {
                               wantHistory();
                             }
                           }),
                           .on_lost = side.guard([this](const Error&) { reading_ = false; })})) {}

/// From the beginning of the stream: what waits already is not skipped.
void JobReader::makeGroup() {
  side_.ask({"XGROUP", "CREATE", side_.jobs_key, RedisKeys::kGroup, "0", "MKSTREAM"},
            [this](const Result<RedisReply>& reply) {
              if (!reply && !isRedisError(reply.error(), "BUSYGROUP")) {
                log::error("no group of workers", {{"error", reply.error().message()}});
                side_.after(kGroupRetry, [this] { makeGroup(); });
                return;
              }
              side_.tell({"PEXPIRE", side_.jobs_key, RedisKeys::kJobsLifetime});
              if (reader_->ready()) {
                wantHistory();
              }
            });
}

/// One read at a time: more would take more than there are slots for.
void JobReader::wantHistory() {
  if (reading_) {
    history_wanted_ = true;
  } else if (reader_->ready()) {
    readHistory("0");
  }
}

void JobReader::slotFreed() {
  if (full_.exchange(false)) {
    side_.reactor.post(side_.guard([this] { readJobs(); }));
  }
}

/// What was given to this worker before its connection broke. What it has is left alone.
void JobReader::readHistory(const std::string& after) {
  if (side_.stopped) {
    return;
  }
  reading_ = true;
  history_wanted_ = false;
  reader_->send({"XREADGROUP", "GROUP", RedisKeys::kGroup, side_.worker, "COUNT", "100", "STREAMS",
                 side_.jobs_key, after},
                side_.guard([this](const Result<RedisReply>& reply) {
                  if (!received(reply)) {
                    return;
                  }
                  const auto entries = entriesRead(*reply);
                  for (const RedisReply& entry : entries) {
                    hooks_.take(entry, Delivery::Again);
                  }
                  if (entries.empty()) {
                    readJobs();
                  } else {
                    readHistory(entries.back().elements.at(0).text);
                  }
                }));
}

void JobReader::readJobs() {
  if (side_.stopped || reading_ || !ownership_.owned() || !reader_->ready()) {
    return;
  }
  full_ = true;  // before the count: a slot that is freed after it comes back here
  const std::size_t free = std::min(hooks_.free_slots(), kMostRead);
  if (free == 0) {
    return;
  }
  full_ = false;
  reading_ = true;
  const std::string count = std::to_string(free);
  reader_->send({"XREADGROUP", "GROUP", RedisKeys::kGroup, side_.worker, "COUNT", count, "BLOCK",
                 kReadBlockMs, "STREAMS", side_.jobs_key, ">"},
                side_.guard([this](const Result<RedisReply>& reply) {
                  if (!received(reply)) {
                    return;
                  }
                  for (const RedisReply& entry : entriesRead(*reply)) {
                    hooks_.take(entry, Delivery::First);
                  }
                  history_wanted_ ? wantHistory() : readJobs();
                }),
                kReadLimit);
}

bool JobReader::received(const Result<RedisReply>& reply) {
  if (side_.stopped) {
    return false;
  }
  reading_ = false;
  if (!reply) {
    readFailed(reply.error());
  }
  return reply.has_value();
}

void JobReader::readFailed(const Error& why) {
  if (!reader_->ready()) {
    return;  // its return begins anew
  }
  // NOGROUP, UNBLOCKED: Redis lost its data. Whatever it is, the group is made anew, then read.
  log::warning("jobs cannot be read", {{"error", why.message()}});
  side_.after(kGroupRetry, [this] { makeGroup(); });
}

}  // namespace flotilla
