#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "api-gateway/http/origin_guard.h"
#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "common/process/systemd.h"

namespace flotilla::gateway {

inline constexpr const char* kDefaultSocket = "unix:///run/flotilla/flotilla.sock";

/// A listening socket and what is to be known about it.
struct BoundListener {
  UniqueFd fd;
  std::string name;         // for messages: "unix:///run/x.sock", "tcp://127.0.0.1:2375"
  std::string socket_path;  // a file to remove at the end; "" when there is none of ours
  bool is_tcp = false;
  Exposure exposure = Exposure::Guarded;
};

struct BindOptions {
  std::string group = {};     // of unix sockets: name or number; "" leaves it
  mode_t mode = 0660;         // of unix sockets
  bool tls = false;           // tcp listeners speak TLS
  bool insecure_tcp = false;  // tcp without TLS may leave loopback
};

/// Binds what one value of -H names (unix://, tcp://, fd://); fd:// may be several. A unix socket
/// that nobody serves any more is replaced, one that answers is an error; tcp beyond loopback
/// without TLS is refused unless insecure_tcp.
/// Errors: InvalidArgument; Conflict (in use); NotFound (group, no activated sockets); Internal.
Result<std::vector<BoundListener>> bindListeners(const std::string& host,
                                                 const BindOptions& options,
                                                 process::ActivatedSockets& activated);

}  // namespace flotilla::gateway
