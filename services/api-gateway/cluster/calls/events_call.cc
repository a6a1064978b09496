#include "api-gateway/cluster/calls/events_call.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"
#include "common/os/rfc3339.h"

namespace flotilla::gateway {
namespace {

constexpr std::size_t kHistoryLimit = 100'000;  // events; later ones are written as they come

void addNodeTo(Document& event, const Host& host) {
  Document& actor = event["Actor"];
  if (!actor.is_object()) {
    actor = Document::object();
  }
  Document& attributes = actor["Attributes"];
  if (!attributes.is_object()) {
    attributes = Document::object();
  }
  attributes["node.name"] = host.name();
  attributes["node.id"] = host.facts.engine_id;
  attributes["node.addr"] = host.address;
  attributes["node.ip"] = host.ip();
  event["node"] = Document::object({{"Name", host.name()},
                                    {"Id", host.facts.engine_id},
                                    {"Addr", host.address},
                                    {"Ip", host.ip()}});
}

/// "1700000000.5" in nanoseconds, as far as they reach; 0 for what is no such number (the engines
/// have words for it).
std::int64_t timestampNs(const std::string& text) {
  constexpr long double kMost = 9.2e18L;
  const long double time = std::strtold(text.c_str(), nullptr) * 1e9L;
  return time > 0 ? static_cast<std::int64_t>(std::min(time, kMost)) : 0;  // also for NaN
}

std::string listed(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : "; ") + part;
  }
  return text;
}

std::string timestampText(std::int64_t ns) {
  const std::string fraction = std::to_string(kNano + ns % kNano).substr(1);
  return std::to_string(ns / kNano) + "." + fraction;
}

}  // namespace

std::string decorateEvent(std::string_view line, const Host& host, std::int64_t* time_ns) {
  if (!json::parse(line)) {
    return "";
  }
  Document event = Document::parse(line, nullptr, false);
  if (!event.is_object()) {
    return "";
  }
  const auto time = event.find("timeNano");
  if (time_ns != nullptr && time != event.end() && time->is_number_integer()) {
    *time_ns = time->get<std::int64_t>();
  }
  if (const auto from = event.find("from"); from != event.end() && from->is_string()) {
    *from = from->get<std::string>() + " node:" + host.name();
  }
  addNodeTo(event, host);
  return dumped(event) + "\n";
}

std::int64_t EventsCall::untilNs() const { return timestampNs(job_.env.get("until")); }

void EventsCall::start() {
  const std::int64_t left = untilNs() - wallClockNanoseconds();
  history_ = bounded() && left <= 0;
  AskedHosts asked(context_.membership.all());
  const auto& hosts = asked.healthy;
  if (bounded() && hosts.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  absent_ = std::move(asked.absent);
  const auto weak = std::weak_ptr(self<EventsCall>());
  stream_ = MergedStream::create({.on_client = nullptr,
                                  .on_gone =
                                      [weak] {
                                        if (const auto call = weak.lock()) {
                                          call->close(JobOutput{});
                                        }
                                      },
                                  .on_full =
                                      [weak](bool full) {
                                        if (const auto call = weak.lock()) {
                                          call->pause(full);
                                        }
                                      }});
  for (const HostPtr& host : hosts) {
    follow(host);
  }
  if (hosts.empty()) {
    establish({});  // those that come will be heard
    return;
  }
  if (bounded() && !history_) {
    until_ = context_.reactor.runAfter(std::chrono::nanoseconds(left), [weak] {
      if (const auto call = weak.lock()) {
        call->until_ = 0;
        call->finishIfComplete();
      }
    });
  }
  patience_ = context_.reactor.runAfter(context_.times.answer, [weak] {
    if (const auto call = weak.lock()) {
      call->patience_ = 0;
      call->patienceOver();
    }
  });
}

void EventsCall::follow(const HostPtr& host) {
  Source& source = sources_[host];
  source.lost.clear();
  JobEnv env = job_.env;
  if (source.next_ns > 0) {
    if (bounded() && source.next_ns > untilNs()) {
      source.complete = true;
      return;
    }
    env.set("since", timestampText(source.next_ns));
  }
  const auto weak = std::weak_ptr(self<EventsCall>());
  source.events = EngineEvents::open(context_.reactor, context_.dial, host, std::move(env),
                                     {.on_open =
                                          [weak, host] {
                                            if (const auto call = weak.lock()) {
                                              call->opened(host);
                                            }
                                          },
                                      .on_line =
                                          [weak, host](std::string_view text) {
                                            if (const auto call = weak.lock()) {
                                              call->line(host, text);
                                            }
                                          },
                                      .on_end =
                                          [weak, host](const Result<void>& how) {
                                            if (const auto call = weak.lock()) {
                                              call->ended(host, how);
                                            }
                                          }});
  source.events->pause(paused_);
}

void EventsCall::opened(const HostPtr& host) {
  sources_[host].opened = true;
  if (!history_) {
    establish({});
  }
}

void EventsCall::establish(std::vector<std::string> warnings) {
  if (wasEstablished() || finished()) {
    return;
  }
  Established message;
  message.stream = stream_->offer(context_.streams);
  warnings.insert(warnings.begin(), absent_.begin(), absent_.end());
  if (!warnings.empty()) {
    message.env.setList("warnings", warnings);
  }
  established(std::move(message));
}

void EventsCall::line(const HostPtr& host, std::string_view text) {
  std::int64_t time = 0;
  std::string event = decorateEvent(text, *host, &time);
  Source& source = sources_[host];
  source.next_ns = std::max(source.next_ns, time + 1);
  source.failing_since.reset();
  if (history_ && collected_.size() < kHistoryLimit) {
    collected_.emplace_back(time, std::move(event));
    return;
  }
  establish({});
  stream_->write(event);
}

void EventsCall::ended(const HostPtr& host, const Result<void>& how) {
  Source& source = sources_[host];
  letGo(source);
  if (finished()) {
    return;
  }
  if (how && bounded()) {
    source.complete = true;
    finishIfComplete();
  } else if (how) {
    retry(host, Error{ErrorKind::Unavailable, "its stream of events ended"});
  } else if (how.error().kind() != ErrorKind::InvalidArgument) {
    retry(host, how.error());
  } else if (wasEstablished()) {
    lose(host, how.error().message());  // what others understood it will never tell
  } else {
    close(how.error());  // bad filters or times: all hosts say so
  }
}

/// Not followed any more; what was promised so far is remembered.
void EventsCall::letGo(Source& source) const {
  if (const auto events = std::exchange(source.events, nullptr)) {
    if (source.next_ns == 0 && job_.env.get("since").empty()) {
      source.next_ns = events->startedNs();
    }
    events->close();
  }
}

void EventsCall::retry(const HostPtr& host, const Error& why) {
  Source& source = sources_[host];
  source.trouble = why.message();
  const auto now = Reactor::Clock::now();
  if (!source.failing_since) {
    source.failing_since = now;
  }
  if (!host->healthy()) {
    source.lost = source.trouble;  // hostDown() tells
    finishIfComplete();
    return;
  }
  if (bounded() && now - *source.failing_since >= context_.times.answer) {
    lose(host, source.trouble);
    return;
  }
  source.retrying = true;
  context_.reactor.runAfter(
      context_.times.doubted, [weak = std::weak_ptr(self<EventsCall>()), host] {
        const auto call = weak.lock();
        if (call && !call->finished() && std::exchange(call->sources_[host].retrying, false)) {
          call->follow(host);
          call->finishIfComplete();
        }
      });
}

/// Its part is missing from now on, perhaps only for a while.
void EventsCall::lose(const HostPtr& host, const std::string& why) {
  Source& source = sources_[host];
  letGo(source);
  source.retrying = false;
  if (!tell(host, "engine_disconnect")) {
    source.lost = why.empty() ? "does not answer" : why;
  }
  finishIfComplete();
}

/// Nobody waits longer for a stream that was never open.
void EventsCall::patienceOver() {
  if (finished() || (wasEstablished() && !history_)) {
    return;
  }
  std::vector<std::pair<HostPtr, std::string>> silent;
  for (const auto& [host, source] : sources_) {
    if (!source.opened && source.waiting()) {
      silent.emplace_back(host, source.trouble.empty() ? "no answer in time" : source.trouble);
    } else if (!history_) {
      silent.emplace_back(host, source.lost);
    }
  }
  if (history_) {
    for (const auto& [host, why] : silent) {
      if (!finished()) {
        lose(host, why);
      }
    }
    return;
  }
  std::vector<std::string> parts;
  for (const auto& [host, why] : silent) {
    parts.push_back(host->name() + ": " + why);
  }
  close(Error{ErrorKind::Unavailable, "events cannot be followed: " + listed(parts)});
}

void EventsCall::finishIfComplete() {
  const bool waiting =
      std::ranges::any_of(sources_, [](const auto& item) { return item.second.waiting(); });
  const bool complete =
      std::ranges::all_of(sources_, [](const auto& item) { return item.second.complete; });
  if (finished() || waiting || !bounded() || (!complete && until_ != 0)) {
    return;
  }
  std::vector<std::string> lost;
  for (const auto& [host, source] : sources_) {
    if (!source.complete && !source.lost.empty()) {
      lost.push_back(host->name() + ": " + source.lost);
    }
  }
  const Error missing{ErrorKind::Unavailable, "events are missing: " + listed(lost)};
  if (!lost.empty() && lost.size() == sources_.size() && !wasEstablished()) {
    close(missing);
    return;
  }
  const bool told = lost.empty() || !wasEstablished();
  establish(lost);
  writeHistory();
  stream_->finish();
  close(told ? JobResult(JobOutput{}) : JobResult(missing));
}

void EventsCall::writeHistory() {
  std::ranges::stable_sort(collected_, {}, [](const auto& event) { return event.first; });
  for (const auto& [time, event] : collected_) {
    stream_->write(event);
  }
  collected_.clear();
}

void EventsCall::hostDown(const HostPtr& host) {
  if (const auto source = sources_.find(host); source == sources_.end()) {
    tell(host, "engine_disconnect");
  } else if (!source->second.complete) {
    lose(host, host->error);
  }
}

void EventsCall::hostUp(const HostPtr& host) {
  if (history_) {
    return;
  }
  const bool known = sources_.contains(host);
  tell(host, known ? "engine_reconnect" : "engine_connect");
  if (finished()) {
    return;  // the client has left, as that line showed
  }
  const Source& source = sources_[host];
  if (!source.waiting() && !source.complete) {
    follow(host);
  }
}

/// What happened to an engine itself, as swarm classic told it. False when the client does not want
/// to hear of it.
bool EventsCall::tell(const HostPtr& host, const char* action) {
  if (!wasEstablished() || history_ || !job_.env.get("filters").empty()) {
    return false;
  }
  const std::int64_t now = wallClockNanoseconds();
  Document event = {{"status", action},
                    {"from", "swarm"},
                    {"Type", "swarm"},
                    {"Action", action},
                    {"Actor", {{"ID", host->facts.engine_id}, {"Attributes", Document::object()}}},
                    {"scope", "swarm"},
                    {"time", now / kNano},
                    {"timeNano", now}};
  stream_->write(decorateEvent(dumped(event), *host, nullptr));
  return true;
}

void EventsCall::pause(bool full) {
  paused_ = full;
  for (const auto& [host, source] : sources_) {
    if (source.events) {
      source.events->pause(full);
    }
  }
}

void EventsCall::cancel() {
  if (stream_) {
    stream_->abort();
  }
  close(Error{ErrorKind::Unavailable, "the client is gone"});
}

void EventsCall::close(JobResult result) {
  context_.reactor.cancelTimer(std::exchange(patience_, 0));
  context_.reactor.cancelTimer(std::exchange(until_, 0));
  for (auto& [host, source] : sources_) {
    source.retrying = false;
    if (const auto events = std::exchange(source.events, nullptr)) {
      events->close();
    }
  }
  finish(std::move(result));
}

}  // namespace flotilla::gateway
