#include "engine/jobs/event_jobs.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <utility>

#include "common/json/json.h"
#include "engine/jobs/event_follower.h"
#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kFractionDigits = 9;
// As far as nanoseconds reach, some 292 years: no event is beyond that.
constexpr std::int64_t kMostSeconds = std::numeric_limits<std::int64_t>::max() / kSecond - 1;

struct EventJobParts {
  EventStore& events;
  StreamServer& streams;
  Reactor& reactor;
  WallClock clock;
};

Result<std::int64_t> parseDigits(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorKind::InvalidArgument,
                 "strconv.ParseInt: parsing " + json::quote(text) + ": invalid syntax"};
  }
  return number;
}

Result<EventRange> parseRange(EventJobParts& parts, const Job& job) {
  EventRange range;
  range.now_ns = parts.clock();
  const std::string since = job.env.get("since");
  const std::string until = job.env.get("until");
  if (!until.empty()) {
    FLO_TRY_ASSIGN(range.until_ns, parseTimestamp(until));
  }
  if (since.empty()) {
    FLO_TRY_ASSIGN(range.position, parts.events.newest());
    return range;
  }
  FLO_TRY_ASSIGN(const std::int64_t since_ns, parseTimestamp(since));
  if (range.until_ns && *range.until_ns < since_ns) {
    return Error{ErrorKind::InvalidArgument,
                 "`since` time (" + since + ") cannot be after `until` time (" + until + ")"};
  }
  FLO_TRY_ASSIGN(range.position, parts.events.positionAt(since_ns));
  return range;
}

Result<void> follow(EventJobParts& parts, const JobContextPtr& context) {
  const Job& job = context->job();
  FLO_TRY_ASSIGN(const EventRange range, parseRange(parts, job));
  FLO_TRY_ASSIGN(auto filter, EventFilter::parse(job.env.get("filters")));
  auto follower =
      std::make_shared<EventFollower>(parts.reactor, parts.events, std::move(filter), range);
  Established message;
  message.env.setInt("now", range.now_ns);
  message.stream = parts.streams.expect([follower, context](Result<net::StreamPtr> stream) {
    if (!stream) {
      context->complete(std::move(stream).error());
      return;
    }
    context->onCancel([weak = std::weak_ptr(follower)] {
      if (const auto alive = weak.lock()) {
        alive->cancel();
      }
    });
    follower->start(std::move(*stream), [context](Result<void> how) {
      context->complete(how ? JobResult(JobOutput{}) : JobResult(std::move(how).error()));
    });
  });
  context->established(std::move(message));
  return {};
}

}  // namespace

Result<std::int64_t> parseTimestamp(const std::string& text) {
  const auto dot = text.find('.');
  FLO_TRY_ASSIGN(std::int64_t seconds, parseDigits(text.substr(0, dot)));
  seconds = std::clamp(seconds, -kMostSeconds, kMostSeconds);
  if (dot == std::string::npos) {
    return seconds * kSecond;
  }
  std::string fraction = text.substr(dot + 1).substr(0, kFractionDigits);
  fraction.append(kFractionDigits - fraction.size(), '0');
  FLO_TRY_ASSIGN(const std::int64_t nanoseconds, parseDigits(fraction));
  return seconds * kSecond + nanoseconds;
}

void addEventJobs(JobEngine& engine, EventStore& events, StreamServer& streams, Reactor& reactor,
                  WallClock clock) {
  const auto parts =
      std::make_shared<EventJobParts>(EventJobParts{events, streams, reactor, std::move(clock)});
  engine.handle("events", Lane::Query, [parts](const JobContextPtr& context) {
    if (auto followed = follow(*parts, context); !followed) {
      context->complete(std::move(followed).error());
    }
  });
}

}  // namespace flotilla::engine
