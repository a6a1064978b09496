#include "api-gateway/cluster/host_feed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

constexpr std::size_t kRowsAtOnce = 200;  // beyond that a whole report is no more work

/// What an event says about a container's state; "" when nothing.
std::string_view stateAfter(std::string_view action) {
  if (action == "start" || action == "unpause" || action == "restart") {
    return "running";
  }
  if (action == "die") {
    return "exited";
  }
  return action == "pause" ? "paused" : "";
}

}  // namespace

void HostFeed::stop() {
  stopped_ = true;
  reactor_.cancelTimer(std::exchange(settle_timer_, 0));
  reactor_.cancelTimer(std::exchange(retry_timer_, 0));
  if (const auto events = std::exchange(events_, nullptr)) {
    events->close();
  }
  if (const auto call = std::exchange(call_, nullptr)) {
    call->cancel();
  }
}

void HostFeed::open() {
  events_ = EngineEvents::open(reactor_, options_.dial, host_, JobEnv(),
                               {.on_open =
                                    [weak = weak_from_this()] {
                                      if (const auto self = weak.lock()) {
                                        self->opened();
                                      }
                                    },
                                .on_line =
                                    [weak = weak_from_this()](std::string_view line) {
                                      if (const auto self = weak.lock()) {
                                        self->take(line);
                                      }
                                    },
                                .on_end =
                                    [weak = weak_from_this()](const Result<void>&) {
                                      if (const auto self = weak.lock()) {
                                        self->ended();
                                      }
                                    }});
}

void HostFeed::opened() {
  failures_ = 0;
  report({});
}

void HostFeed::ended() {
  events_ = nullptr;
  if (stopped_) {
    return;
  }
  ++failures_;
  const auto delay =
      std::min<std::chrono::milliseconds>(options_.settle * failures_, options_.longest_retry);
  retry_timer_ = reactor_.runAfter(delay, [self = shared_from_this()] {
    self->retry_timer_ = 0;
    self->open();
  });
}

void HostFeed::take(std::string_view line) {
  const auto event = json::parse(line);
  if (!event || textOf(*event, "Type") != "container") {
    return;
  }
  const auto actor = event->find("Actor");
  const json::Json& who = actor == event->end() ? *event : *actor;
  const auto attributes = who.is_object() ? who.find("Attributes") : who.end();
  const json::Json& facts = who.is_object() && attributes != who.end() ? *attributes : who;
  const std::string id = textOf(who, "ID");
  std::string action = textOf(*event, "Action");
  action = action.substr(0, action.find(':'));
  if (id.empty()) {
    return;
  }
  if (action == "destroy") {
    changed_.erase(id);
    index_.remove(id);
    return;
  }
  if (action == "exec_create" || action == "exec_start") {
    index_.putExec(textOf(facts, "execID"), id);
    return;
  }
  if (action == "create" && index_.byId(id) == nullptr) {
    ContainerRow row;
    row.id = id;
    row.name = textOf(facts, "name");
    row.image = textOf(facts, "image");
    row.state = "created";
    index_.put(host_, std::move(row));
  } else if (action == "rename") {
    std::string name = textOf(facts, "name");
    name.erase(0, name.starts_with('/') ? 1 : 0);
    index_.rename(id, name);
  }
  const std::string_view state = stateAfter(action);
  if (!state.empty()) {
    index_.setState(id, std::string(state));
  }
  if (!state.empty() || action == "create" || action == "rename" || action == "update") {
    changed(id);
  }
}

void HostFeed::changed(const std::string& id) {
  changed_.insert(id);
  if (settle_timer_ == 0) {
    settle_timer_ = reactor_.runAfter(options_.settle, [self = shared_from_this()] {
      self->settle_timer_ = 0;
      self->askForChanged();
    });
  }
}

void HostFeed::askForChanged() {
  if (stopped_ || changed_.empty()) {
    return;
  }
  std::vector<std::string> ids;
  if (changed_.size() <= kRowsAtOnce) {
    ids.assign(changed_.begin(), changed_.end());
  }
  changed_.clear();
  report(std::move(ids));
}

void HostFeed::report(std::vector<std::string> ids) {
  Job job;
  job.name = "engine_report";
  job.args = ids;
  job.env.setBool("partial", true);  // some may be gone again
  const std::uint64_t moment = index_.moment();
  auto call =
      HostCall::start(reactor_, host_->engine, std::move(job), options_.answer,
                      [weak = weak_from_this(), whole = ids.empty(), moment](JobResult result) {
                        const auto self = weak.lock();
                        auto parsed = result ? parseEngineReport(result->body)
                                             : Result<EngineReport>(result.error());
                        if (!self || self->stopped_ || !parsed || !parsed->containers) {
                          return;  // the next regular report has it
                        }
                        if (whole) {
                          self->index_.replace(self->host_, *std::move(parsed->containers), moment);
                          return;
                        }
                        for (ContainerRow& row : *parsed->containers) {
                          const auto* known = self->index_.byId(row.id);
                          if (known != nullptr && known->touched <= moment) {
                            self->index_.put(self->host_, std::move(row));
                          }
                        }
                      });
  call_ = std::move(call);
}

}  // namespace flotilla::gateway
