#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api-gateway/cluster/calls/merged_stream.h"
#include "api-gateway/cluster/engine_events.h"

namespace flotilla::gateway {

/// events: those of all hosts as one stream, each with the host it is of. A host that is away for a
/// while is continued from its last event; one that comes later joins in.
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
  struct Source {
    std::shared_ptr<EngineEvents> events;  // null while the host is away
    std::int64_t last_ns = 0;              // time of its last event
  };

  void follow(const HostPtr& host);
  void opened();
  void line(const HostPtr& host, std::string_view text);
  void ended(const HostPtr& host, const Result<void>& how);
  void finishIfComplete();
  void tell(const HostPtr& host, const char* action);
  void close(JobResult result);

  std::shared_ptr<MergedStream> stream_;
  std::map<HostPtr, Source> sources_;
  bool history_ = false;  // wholly in the past: sorted by time before it is written
  std::vector<std::pair<std::int64_t, std::string>> collected_;
  bool paused_ = false;
};

/// An event as a cluster shows it: with the node's name, id and address. "" for what is no event.
std::string decorateEvent(std::string_view line, const Host& host, std::int64_t* time_ns);

}  // namespace flotilla::gateway
