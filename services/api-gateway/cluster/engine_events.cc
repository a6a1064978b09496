#include "api-gateway/cluster/engine_events.h"

#include <array>
#include <utility>

#include "api-gateway/cluster/host_call.h"
#include "common/os/random.h"

namespace flotilla::gateway {
namespace {

constexpr std::chrono::seconds kPickUp{10};
constexpr std::chrono::seconds kResultPatience{5};  // after the end of the stream
constexpr std::size_t kLongestLine = 1U << 20U;

}  // namespace

std::shared_ptr<EngineEvents> EngineEvents::open(Reactor& reactor, StreamDial dial, HostPtr host,
                                                 JobEnv env, Callbacks callbacks) {
  auto events = std::make_shared<EngineEvents>(reactor, std::move(dial), std::move(host),
                                               std::move(callbacks));
  // Later: the caller has its pointer when the first callback comes.
  reactor.post([events, env = std::move(env)]() mutable { events->submit(std::move(env)); });
  return events;
}

void EngineEvents::submit(JobEnv env) {
  if (ended_) {
    return;
  }
  Job job;
  job_id_ = job.id = randomHex(16);
  job.name = "events";
  job.env = std::move(env);
  bounded_ = !job.env.get("until").empty();
  job.lifetime = kPickUp;
  awaited_ = true;
  host_->engine->submit(std::move(job),
                        {.on_established =
                             [self = shared_from_this()](const Established& message) {
                               onLoop(self->reactor_,
                                      [self, message] { self->established(message); });
                             },
                         .on_result =
                             [self = shared_from_this()](JobResult result) {
                               onLoop(self->reactor_, [self, result = std::move(result)]() mutable {
                                 self->finished(std::move(result));
                               });
                             }});
}

void EngineEvents::established(const Established& message) {
  if (ended_ || !message.stream) {
    return;
  }
  started_ns_ = message.env.getInt("now", 0).value_or(0);
  connecting_ = true;
  connectStream(reactor_, *message.stream, dial_,
                [self = shared_from_this()](Result<net::StreamPtr> stream) {
                  self->connected(std::move(stream));
                });
}

void EngineEvents::connected(Result<net::StreamPtr> stream) {
  if (ended_) {
    if (stream) {
      (*stream)->close();
    }
    return;
  }
  if (!stream) {
    end(std::move(stream).error());
    return;
  }
  stream_ = *std::move(stream);
  stream_->start([self = shared_from_this()] { self->readable(); }, [] {});
  stream_->enableRead(!paused_);
  if (const auto opened = callbacks_.on_open) {
    opened();
  }
}

void EngineEvents::readable() {
  std::array<char, 16384> piece{};
  const auto self = shared_from_this();
  const auto size = stream_->read(piece.data(), piece.size());
  if (!size && size.error().kind() == ErrorKind::Unavailable) {
    return;
  }
  if (!size) {
    end(size.error());
    return;
  }
  if (*size == 0) {
    streamEnded();
    return;
  }
  buffer_.append(piece.data(), *size);
  std::size_t at = 0;
  for (std::size_t line = 0; !ended_ && (line = buffer_.find('\n', at)) != std::string::npos;
       at = line + 1) {
    callbacks_.on_line(std::string_view(buffer_).substr(at, line - at));
  }
  buffer_.erase(0, at);
  if (buffer_.size() > kLongestLine) {
    end(Error{ErrorKind::Internal, "an event is too long"});
  }
}

/// The stream of a worker that died ends like a complete one: its job's result tells them apart.
void EngineEvents::streamEnded() {
  if (!bounded_) {
    end({});
  } else if (!awaited_) {
    end(verdict_);
  } else {
    read_whole_ = true;
    stream_->enableRead(false);
    deadline_ = reactor_.runAfter(kResultPatience, [self = shared_from_this()] {
      self->deadline_ = 0;
      self->end(Error{ErrorKind::Unavailable, "no word of whether these are all events"});
    });
  }
}

void EngineEvents::finished(JobResult result) {
  awaited_ = false;
  if (!result) {
    verdict_ = result.error();
  }
  // With a stream the end of its bytes is the end.
  if (!connecting_ || read_whole_) {
    end(verdict_);
  }
}

void EngineEvents::end(Result<void> how) {
  if (ended_) {
    return;
  }
  const auto callback = callbacks_.on_end;
  close();
  callback(std::move(how));
}

void EngineEvents::pause(bool paused) {
  paused_ = paused;
  if (stream_ && !ended_ && !read_whole_) {
    stream_->enableRead(!paused);
  }
}

void EngineEvents::close() {
  if (std::exchange(ended_, true)) {
    return;
  }
  reactor_.cancelTimer(deadline_);
  if (awaited_) {
    host_->engine->cancel(job_id_);
  }
  if (stream_) {
    stream_->close();
  }
}

}  // namespace flotilla::gateway
