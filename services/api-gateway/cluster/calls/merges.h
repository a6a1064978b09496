#pragma once

#include <vector>

#include "api-gateway/cluster/calls/cluster_call.h"

/// How the answers of several hosts become the one answer of the cluster: functions for GatherCall.
namespace flotilla::gateway {

/// Names get "/node" in front; newest first; `limit` holds for all together. Containers of hosts
/// that are down are shown with all=1 as they were, with Status "Host Down".
JobResult mergeContainerList(ClusterContext& context, const Job& job,
                             std::vector<HostAnswer> answers);

/// One element an image, with the tags it has anywhere.
JobResult mergeImageList(ClusterContext& context, const Job& job, std::vector<HostAnswer> answers);
/// What was untagged and deleted, each once. One refusal is an error, however many succeeded.
JobResult mergeImageRemove(ClusterContext& context, const Job& job,
                           std::vector<HostAnswer> answers);

/// Names of local ones get "node/" in front.
JobResult mergeNetworkList(ClusterContext& context, const Job& job,
                           std::vector<HostAnswer> answers);
JobResult mergeVolumeList(ClusterContext& context, const Job& job, std::vector<HostAnswer> answers);

/// A change that is done where it can be: an empty answer when a host did it and none refused.
JobResult mergeChange(ClusterContext& context, const Job& job, std::vector<HostAnswer> answers);
/// As above, with the answer of one of them.
JobResult mergeCreate(ClusterContext& context, const Job& job, std::vector<HostAnswer> answers);

/// The cluster as one engine, with a row for each host; answers are engine reports, and hosts that
/// gave none are shown as they were.
JobResult mergeInfo(ClusterContext& context, std::vector<HostAnswer> answers);

}  // namespace flotilla::gateway
