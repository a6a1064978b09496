#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/error/result.h"
#include "common/job/job.h"
#include "common/queue/cluster_key.h"

namespace flotilla {

/// How jobs and what becomes of them travel between processes: a fixed order of fields, each as
/// "<length>:<bytes>,", the first a version. A signed message is mac and text; unsigned or altered
/// ones do not decode.

/// A job with what a worker must know to accept it.
struct JobEnvelope {
  std::string engine_id;         // for whom
  std::string gateway_id;        // where the answer goes
  std::int64_t issued_ms = 0;    // Redis' clock when it was sent
  std::int64_t lifetime_ms = 0;  // not started later than issued + lifetime
  Job job;                       // its own `lifetime` is not carried
};

std::string encodeJob(const JobEnvelope& envelope);
/// Errors: InvalidArgument.
Result<JobEnvelope> decodeJob(std::string_view text);

/// One message about a job.
struct JobReply {
  std::string job_id;
  std::variant<Established, JobResult> content = Established{};
};

/// With the mac in front.
std::string encodeReply(const ClusterKey& key, const std::string& job_id,
                        const Established& established);
std::string encodeReply(const ClusterKey& key, const std::string& job_id, const JobResult& result);
/// Errors: PermissionDenied (bad mac), InvalidArgument.
Result<JobReply> decodeReply(const ClusterKey& key, std::string_view message);

inline constexpr std::string_view kJobPurpose = "flotilla job";
inline constexpr std::string_view kReplyPurpose = "flotilla reply";

}  // namespace flotilla
