#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api-gateway/cluster/calls/merged_stream.h"
#include "api-gateway/cluster/engine_events.h"

namespace flotilla::gateway {

/// events: those of all hosts as one stream, each with the host it is of. A host that is away for a
/// while is continued from where it was left; one that comes later joins in.
///
/// With an `until` the stream ends when every host has told its part. A part that cannot be had is
/// never left out without a word: of a history it is named in env "warnings" (an error when no host
/// told its part); of a stream under way the client hears `engine_disconnect`, or, where its
/// filters forbid that, the stream ends with an error.
class EventsCall final : public ClusterCall {
 public:
  EventsCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

  void cancel() override;
  void hostDown(const HostPtr& host) override;
  void hostUp(const HostPtr& host) override;

 protected:
  void start() override;

 private:
  /// The events of one host.
  struct Source {
    std::shared_ptr<EngineEvents> events;  // null while they are not followed
    bool retrying = false;                 // they will be, shortly
    bool opened = false;                   // they were, once
    bool complete = false;                 // all up to `until` were told
    std::string lost;                      // why a part is missing of which the client was not told
    std::string trouble;                   // why they were not followed the last time
    std::int64_t next_ns = 0;              // all before it were told; 0: as the client asked
    std::optional<Reactor::Clock::time_point> failing_since;  // without an event meanwhile

    [[nodiscard]] bool waiting() const { return events != nullptr || retrying; }
  };

  void follow(const HostPtr& host);
  void opened(const HostPtr& host);
  void establish(std::vector<std::string> warnings);
  void line(const HostPtr& host, std::string_view text);
  void ended(const HostPtr& host, const Result<void>& how);
  void letGo(Source& source) const;
  void retry(const HostPtr& host, const Error& why);
  void lose(const HostPtr& host, const std::string& why);
  void patienceOver();
  void finishIfComplete();
  void writeHistory();
  bool tell(const HostPtr& host, const char* action);
  void pause(bool full);
  void close(JobResult result);
  [[nodiscard]] bool bounded() const { return !job_.env.get("until").empty(); }
  [[nodiscard]] std::int64_t untilNs() const;

  std::shared_ptr<MergedStream> stream_;
  std::map<HostPtr, Source> sources_;
  std::vector<std::string> absent_;  // hosts that were away at the beginning, with the reason
  bool history_ = false;             // wholly in the past: sorted by time before it is written
  std::vector<std::pair<std::int64_t, std::string>> collected_;
  bool paused_ = false;
  Reactor::TimerId patience_ = 0;  // until every host's stream, or any, should be open
  Reactor::TimerId until_ = 0;     // while the client's `until` is to come
};

/// An event as a cluster shows it: with the node's name, id and address. "" for what is no event.
std::string decorateEvent(std::string_view line, const Host& host, std::int64_t* time_ns);

}  // namespace flotilla::gateway
