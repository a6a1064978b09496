#include "common/process/resource_limits.h"

#include <malloc.h>
#include <sys/resource.h>

namespace flotilla::process {

void limitMemory() {
  // Before there are threads: NOLINTBEGIN(concurrency-mt-unsafe)
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  // NOLINTEND(concurrency-mt-unsafe)
}

void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what is left is enough for most
  }
}

}  // namespace flotilla::process
