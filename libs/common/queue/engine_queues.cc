#include "common/queue/engine_queues.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace flotilla {
namespace {

constexpr std::chrono::seconds kLookAgain{1};
constexpr std::chrono::milliseconds kNoStreamRetry{50};

}  // namespace

void EngineQueues::enter(const std::string& engine_id, const std::string& job_id) {
  Engine& engine = engines_[engine_id];
  if (!side_.commands->ready() || !engine.held.empty()) {
    hold(engine_id, job_id);
    return hooks_.held(job_id);
  }
  if (engine.asking || engine.length >= side_.options.max_waiting) {
    engine.asking_jobs.push_back(job_id);
    return askForRoom(engine_id);
  }
  look(engine_id);
  hooks_.send(job_id);
}

void EngineQueues::hold(const std::string& engine_id, const std::string& job_id) {
  engines_[engine_id].held.push_back(job_id);
}

void EngineQueues::holdForStream(const std::string& engine_id, const std::string& job_id) {
  hold(engine_id, job_id);
  hooks_.held(job_id);
  Engine& engine = engines_[engine_id];
  engine.length = 0;
  if (engine.retry == 0) {
    engine.retry = side_.after(kNoStreamRetry, [this, engine_id] {
      engines_[engine_id].retry = 0;
      if (side_.commands->ready()) {
        enterHeld(engine_id);
      }
    });
  }
}

void EngineQueues::enterHeld(const std::string& engine_id) {
  for (const std::string& job_id : std::exchange(engines_[engine_id].held, {})) {
    if (hooks_.waits(job_id)) {
      enter(engine_id, job_id);
    }
  }
}

void EngineQueues::connected() {
  for (const auto& [engine_id, engine] : engines_) {
    enterHeld(engine_id);
  }
}

void EngineQueues::lost() {
  for (auto& [engine_id, engine] : engines_) {
    for (const std::string& job_id : std::exchange(engine.asking_jobs, {})) {
      hold(engine_id, job_id);
      hooks_.held(job_id);
    }
    engine.asking = false;
  }
}

void EngineQueues::shrank(const std::string& engine_id) {
  std::size_t& length = engines_[engine_id].length;
  length -= std::min<std::size_t>(length, 1);
}

/// What the stream holds beyond what workers have, exactly: only asked when it may be full.
void EngineQueues::askForRoom(const std::string& engine_id) {
  if (std::exchange(engines_[engine_id].asking, true)) {
    return;
  }
  const std::string key = side_.keys.jobs(engine_id);
  auto length = std::make_shared<std::size_t>(0);  // shared by the two answers
  side_.ask({"XLEN", key}, [length](const Result<RedisReply>& reply) {
    *length = reply ? static_cast<std::size_t>(reply->integer) : 0;
  });
  side_.ask({"XPENDING", key, RedisKeys::kGroup}, [this, engine_id,
                                                   length](const Result<RedisReply>& reply) {
    if (!side_.commands->ready()) {
      return;  // lost() holds them
    }
    const bool known = reply && !reply->elements.empty();
    gotRoom(engine_id, *length, known ? static_cast<std::size_t>(reply->elements[0].integer) : 0);
  });
}

void EngineQueues::gotRoom(const std::string& engine_id, std::size_t length, std::size_t running) {
  Engine& engine = engines_[engine_id];
  engine.asking = false;
  engine.length = length;
  std::size_t waiting = length - std::min(length, running);
  for (const std::string& job_id : std::exchange(engine.asking_jobs, {})) {
    if (!hooks_.waits(job_id)) {
      continue;
    }
    if (waiting++ < side_.options.max_waiting) {
      hooks_.send(job_id);
    } else {
      hooks_.full(job_id, engine_id);
    }
  }
}

/// Once a second and engine: how long its stream really is.
void EngineQueues::look(const std::string& engine_id) {
  Engine& engine = engines_[engine_id];
  const auto now = Reactor::Clock::now();
  if (now - engine.looked < kLookAgain) {
    return;
  }
  engine.looked = now;
  side_.ask({"XLEN", side_.keys.jobs(engine_id)}, [this, engine_id](const auto& reply) {
    if (reply) {
      engines_[engine_id].length = static_cast<std::size_t>(reply->integer);
    }
  });
}

}  // namespace flotilla
