#pragma once

#include <linux/filter.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace flotilla::engine {

/// A profile from defaultSeccomp() as a BPF program for seccomp(2), for the three system call ABIs
/// of x86-64. Unlike what the OCI `seccomp` object becomes in a runtime with an older libseccomp,
/// it allows calls by number however new they are, and answers ENOSYS to calls newer than the
/// profile (EPERM would keep C libraries from falling back). A binary search instead of a list:
/// short enough to need no cache. nullopt on other architectures and for profiles with anything
/// else in them.
std::optional<std::vector<sock_filter>> compileSeccomp(const nlohmann::json& profile);

/// The program as crun's annotation run.oci.seccomp_bpf_data takes it.
std::string encodeBpf(const std::vector<sock_filter>& program);

}  // namespace flotilla::engine
