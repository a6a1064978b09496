#pragma once

#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/store/paths.h"
#include "engine/worker/program_store.h"

namespace flotilla::engine {

/// What a process that entered its host keeps of both.
struct HostEntry {
  ProgramStore::Version programs;  // on the host
  UniqueFd container_root;         // "/" as it was

  /// The path under which a file of the container can be opened now.
  [[nodiscard]] std::string ofContainer(const std::string& path) const;
};

/// Makes a process that was started in a container one of the host's (docs/adr/0005): its
/// mount and cgroup namespaces become those of process 1, or of what started the container. The
/// programs it starts from then on are copied to paths.programs() and stay there while they run, so
/// that shims, and what shims run, outlive the container, its image and its successor. The
/// container must share the host's pid namespace. Only while there is a single thread.
///
/// The image has them in the folder host/ beside this program, in one folder named by its digest:
/// flotilla-shim, flotilla-unpack, crun, tini-static, ld.so and, in lib/, all libraries of these.
///
/// Errors: InvalidArgument (no programs in the image, no process of the host is seen), Internal.
Result<HostEntry> enterHost(const Paths& paths);

}  // namespace flotilla::engine
