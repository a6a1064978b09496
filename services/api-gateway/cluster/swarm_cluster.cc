#include "api-gateway/cluster/swarm_cluster.h"

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "api-gateway/cluster/calls/container_call.h"
#include "api-gateway/cluster/calls/create_call.h"
#include "api-gateway/cluster/calls/events_call.h"
#include "api-gateway/cluster/calls/gather_call.h"
#include "api-gateway/cluster/calls/list_call.h"
#include "api-gateway/cluster/calls/merges.h"
#include "api-gateway/cluster/calls/upload_call.h"
#include "api-gateway/cluster/host_feed.h"
#include "common/log/log.h"

namespace flotilla::gateway {
namespace {

using CallPtr = std::shared_ptr<ClusterCall>;
using MakeCall = CallPtr (*)(ClusterContext&, Job, JobQueue::Callbacks);

template <class Call>
CallPtr make(ClusterContext& context, Job job, JobQueue::Callbacks callbacks) {
  return std::make_shared<Call>(context, std::move(job), std::move(callbacks));
}

template <GatherCall::Kind kind, GatherCall::Merge merge>
CallPtr gather(ClusterContext& context, Job job, JobQueue::Callbacks callbacks) {
  return std::make_shared<GatherCall>(context, std::move(job), std::move(callbacks), kind, merge);
}

template <GatherCall::Merge merge>
CallPtr listed(ClusterContext& context, Job job, JobQueue::Callbacks callbacks) {
  return std::make_shared<ListCall>(context, std::move(job), std::move(callbacks), merge);
}

struct Policy {
  std::string_view job;
  MakeCall make;
};

constexpr auto kQuestion = GatherCall::Kind::Question;
constexpr auto kChange = GatherCall::Kind::Change;

/// How each job is done in a cluster; docs/jobs.md says what it is.
constexpr std::array kPolicies = {
    Policy{"container_create", make<CreateCall>},
    Policy{"container_rename", make<RenameCall>},
    Policy{"container_list", listed<mergeContainerList>},
    Policy{"exec_create", make<ContainerCall>},
    Policy{"exec_start", make<ExecCall>},
    Policy{"exec_inspect", make<ExecCall>},
    Policy{"exec_resize", make<ExecCall>},
    Policy{"info", make<InfoCall>},
    Policy{"version", make<AnyCall>},
    Policy{"events", make<EventsCall>},
    Policy{"image_load", make<UploadCall>},
    Policy{"image_import", make<UploadCall>},
    Policy{"image_create", make<UploadCall>},  // nothing is sent up: every host pulls
    Policy{"image_list", listed<mergeImageList>},
    Policy{"image_inspect", make<AnyCall>},
    Policy{"image_history", make<AnyCall>},
    Policy{"image_save", make<SaveCall>},
    Policy{"image_tag", gather<kChange, mergeChange>},
    Policy{"image_remove", gather<kChange, mergeImageRemove>},
    Policy{"network_list", gather<kQuestion, mergeNetworkList>},
    Policy{"network_inspect", make<AnyCall>},
    Policy{"volume_list", gather<kQuestion, mergeVolumeList>},
    Policy{"volume_inspect", make<AnyCall>},
    Policy{"volume_create", make<VolumeCreateCall>},
    Policy{"volume_remove", gather<kChange, mergeChange>},
};

MakeCall policyFor(std::string_view job) {
  for (const Policy& policy : kPolicies) {
    if (policy.job == job) {
      return policy.make;
    }
  }
  return job.starts_with("container_") ? make<ContainerCall> : nullptr;
}

/// Everything on the reactor's thread but submit() and cancel().
class Swarm final : public SwarmCluster, private MembershipListener {
 public:
  Swarm(SwarmOptions options, Reactor& reactor, Membership::Connect connect, Discovery& discovery,
        EngineDirectory& directory, StreamServer& streams, std::unique_ptr<Strategy> strategy)
      : reactor_(reactor),
        discovery_(discovery),
        feed_options_{
            .dial = options.dial, .settle = options.times.settle, .answer = options.times.answer},
        scheduler_(std::move(strategy), index_),
        membership_(reactor, directory, std::move(connect), options.membership, *this),
        context_{.reactor = reactor,
                 .membership = membership_,
                 .index = index_,
                 .directory = directory,
                 .scheduler = scheduler_,
                 .streams = streams,
                 .dial = options.dial,
                 .times = options.times} {}

  ~Swarm() override {
    *alive_ = nullptr;
    for (const auto& [host, feed] : feeds_) {
      feed->stop();
    }
    forEachCall([](ClusterCall& call) { call.abandon(); });
  }
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  void start(std::function<void()> ready) override {
    membership_.whenSettled(std::move(ready));
    watch_ = discovery_.watch([this](Result<DiscoveryEntries> entries) {
      if (entries) {
        membership_.update(*entries);
      } else {
        log::warning("discovery error", {{"error", entries.error().message()}});
      }
    });
  }

  void submit(Job job, JobQueue::Callbacks callbacks) override {
    onLoop(reactor_,
           [alive = alive_, job = std::move(job), callbacks = std::move(callbacks)]() mutable {
             if (*alive != nullptr) {
               (*alive)->run(std::move(job), std::move(callbacks));
             }
           });
  }

  void cancel(const std::string& job_id) override {
    onLoop(reactor_, [alive = alive_, job_id] {
      if (*alive == nullptr) {
        return;
      }
      const auto running = (*alive)->context_.running.find(job_id);
      if (running != (*alive)->context_.running.end()) {
        const auto call = running->second;
        call->cancel();
      }
    });
  }

 private:
  void run(Job job, JobQueue::Callbacks callbacks) {
    const MakeCall make_call = policyFor(job.name);
    if (make_call == nullptr) {
      callbacks.on_result(
          Error{ErrorKind::NotImplemented, "job " + job.name + " is not implemented in a cluster"});
      return;
    }
    ClusterCall::run(make_call(context_, std::move(job), std::move(callbacks)));
  }

  std::uint64_t moment() override { return index_.moment(); }

  void reported(const HostPtr& host, std::vector<ContainerRow> rows,
                std::uint64_t moment) override {
    index_.replace(host, std::move(rows), moment);
  }

  void hostUp(const HostPtr& host, bool /*again*/) override {
    auto& feed = feeds_[host.get()];
    if (!feed) {
      feed = std::make_shared<HostFeed>(reactor_, index_, host, feed_options_);
      feed->start();
    }
    forEachCall([&](ClusterCall& call) { call.hostUp(host); });
  }

  void hostDown(const HostPtr& host) override {
    stopFeed(*host);
    forEachCall([&](ClusterCall& call) { call.hostDown(host); });
  }

  void hostGone(const HostPtr& host) override {
    stopFeed(*host);
    index_.dropHost(*host);
    forEachCall([&](ClusterCall& call) { call.hostDown(host); });
  }

  void stopFeed(const Host& host) {
    if (const auto feed = feeds_.find(&host); feed != feeds_.end()) {
      feed->second->stop();
      feeds_.erase(feed);
    }
  }

  void forEachCall(const std::function<void(ClusterCall&)>& fn) {
    std::vector<CallPtr> calls;  // they may end, or begin others
    for (const auto& [id, call] : context_.running) {
      calls.push_back(call);
    }
    for (const CallPtr& call : calls) {
      fn(*call);
    }
  }

  Reactor& reactor_;
  Discovery& discovery_;
  const HostFeed::Options feed_options_;
  ContainerIndex index_;
  Scheduler scheduler_;
  Membership membership_;
  ClusterContext context_;
  std::unordered_map<const Host*, std::shared_ptr<HostFeed>> feeds_;
  std::unique_ptr<Discovery::Watch> watch_;
  // For what was posted and comes after the end; null then.
  const std::shared_ptr<Swarm*> alive_ = std::make_shared<Swarm*>(this);
};

}  // namespace

bool isClusterJob(std::string_view job) { return policyFor(job) != nullptr; }

Result<std::unique_ptr<SwarmCluster>> SwarmCluster::create(SwarmOptions options, Reactor& reactor,
                                                           Membership::Connect connect,
                                                           Discovery& discovery,
                                                           EngineDirectory& directory,
                                                           StreamServer& streams) {
  FLO_TRY_ASSIGN(auto strategy, makeStrategy(options.strategy, options.overcommit));
  return std::unique_ptr<SwarmCluster>(
      std::make_unique<Swarm>(std::move(options), reactor, std::move(connect), discovery, directory,
                              streams, std::move(strategy)));
}

}  // namespace flotilla::gateway
