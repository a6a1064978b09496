#include "api-gateway/cluster/calls/events_call.h"

#include <algorithm>
#include <cstdlib>

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

/// "1700000000.5" in nanoseconds; 0 for what is no such number (the engines have words for it).
std::int64_t timestampNs(const std::string& text) {
  return static_cast<std::int64_t>(std::strtold(text.c_str(), nullptr) * 1e9L);
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

void EventsCall::start() {
  const std::string until = job_.env.get("until");
  history_ = !until.empty() && timestampNs(until) <= wallClockNanoseconds();
  stream_ = MergedStream::create({.on_client = nullptr,
                                  .on_gone =
                                      [weak = std::weak_ptr(self<EventsCall>())] {
                                        if (const auto call = weak.lock()) {
                                          call->close(JobOutput{});
                                        }
                                      },
                                  .on_full =
                                      [weak = std::weak_ptr(self<EventsCall>())](bool full) {
                                        if (const auto call = weak.lock()) {
                                          call->paused_ = full;
                                          for (const auto& [host, source] : call->sources_) {
                                            if (source.events) {
                                              source.events->pause(full);
                                            }
                                          }
                                        }
                                      }});
  const auto hosts = context_.membership.healthy();
  for (const HostPtr& host : hosts) {
    follow(host);
  }
  if (hosts.empty()) {
    opened();  // those that come will be heard
    finishIfComplete();
  }
}

void EventsCall::follow(const HostPtr& host) {
  Source& source = sources_[host];
  JobEnv env = job_.env;
  if (source.last_ns > 0) {
    env.set("since", timestampText(source.last_ns + 1));
  }
  const auto weak = std::weak_ptr(self<EventsCall>());
  source.events = EngineEvents::open(context_.reactor, context_.dial, host, std::move(env),
                                     {.on_open =
                                          [weak] {
                                            if (const auto call = weak.lock()) {
                                              call->opened();
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

void EventsCall::opened() {
  if (wasEstablished() || finished()) {
    return;
  }
  Established message;
  message.stream = stream_->offer(context_.streams);
  established(std::move(message));
}

void EventsCall::line(const HostPtr& host, std::string_view text) {
  std::int64_t time = 0;
  std::string event = decorateEvent(text, *host, &time);
  sources_[host].last_ns = std::max(sources_[host].last_ns, time);
  if (history_ && collected_.size() < kHistoryLimit) {
    collected_.emplace_back(time, std::move(event));
  } else {
    stream_->write(event);
  }
}

void EventsCall::ended(const HostPtr& host, const Result<void>& how) {
  sources_[host].events = nullptr;
  if (finished()) {
    return;
  }
  if (!how && !wasEstablished() && how.error().kind() == ErrorKind::InvalidArgument) {
    close(how.error());  // bad filters or times: all hosts say so
    return;
  }
  const bool complete = how && !job_.env.get("until").empty();
  if (!complete && host->healthy()) {
    context_.reactor.runAfter(context_.times.doubted, [call = self<EventsCall>(), host] {
      if (!call->finished() && host->healthy() && !call->sources_[host].events) {
        call->follow(host);
      }
    });
    return;
  }
  finishIfComplete();
}

void EventsCall::finishIfComplete() {
  const bool waiting =
      std::ranges::any_of(sources_, [](const auto& item) { return item.second.events != nullptr; });
  if (waiting || job_.env.get("until").empty()) {
    return;
  }
  opened();
  std::ranges::stable_sort(collected_, {}, [](const auto& event) { return event.first; });
  for (const auto& [time, event] : collected_) {
    stream_->write(event);
  }
  collected_.clear();
  stream_->finish();
  close(JobOutput{});
}

void EventsCall::hostDown(const HostPtr& host) {
  const auto source = sources_.find(host);
  if (source != sources_.end() && source->second.events) {
    std::exchange(source->second.events, nullptr)->close();
  }
  tell(host, "engine_disconnect");
  finishIfComplete();
}

void EventsCall::hostUp(const HostPtr& host) {
  const bool known = sources_.contains(host);
  tell(host, known ? "engine_reconnect" : "engine_connect");
  if (!sources_[host].events && !history_) {
    follow(host);
  }
}

/// What happened to an engine itself, as swarm classic told it.
void EventsCall::tell(const HostPtr& host, const char* action) {
  if (!wasEstablished() || history_ || !job_.env.get("filters").empty()) {
    return;
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
}

void EventsCall::cancel() { close(Error{ErrorKind::Unavailable, "the client is gone"}); }

void EventsCall::close(JobResult result) {
  for (auto& [host, source] : sources_) {
    if (source.events) {
      std::exchange(source.events, nullptr)->close();
    }
  }
  if (!result) {
    stream_->abort();
  }
  finish(std::move(result));
}

}  // namespace flotilla::gateway
