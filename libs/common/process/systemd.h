#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/os/unique_fd.h"

namespace flotilla::process {

/// A socket handed over by the service manager (sd_listen_fds).
struct ActivatedSocket {
  UniqueFd fd;       // close-on-exec
  std::string name;  // as the unit names it, else its number
};

/// The sockets the service manager gave to this process. Made once, at start: it clears the
/// environment that announced them, so that children do not take them for theirs.
class ActivatedSockets {
 public:
  static ActivatedSockets fromServiceManager();

  /// Hands out the ones called `name` (or numbered so; "" all that are left), each once.
  std::vector<ActivatedSocket> take(std::string_view name);

 private:
  std::vector<ActivatedSocket> sockets_;
};

/// Tells the service manager ("READY=1", "STOPPING=1", "STATUS=..."). Without one nothing happens.
void notifyServiceManager(const std::string& state);

}  // namespace flotilla::process
