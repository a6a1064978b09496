#pragma once

#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/network/netlink.h"

namespace flotilla::engine {

/// A new network namespace with loopback up.
struct NewNamespace {
  UniqueFd netns;
  NetlinkSocket inside;  // acts in the namespace
};

/// Moves the calling thread into a new network namespace. The caller moves it back or lets it end.
Result<NewNamespace> enterNewNamespace();

/// As enterNewNamespace(), on a thread of its own: the caller stays where it is.
Result<NewNamespace> makeNamespace();

/// A namespace that lacks only its address: "eth0" is there, down, and its other end is a port of
/// the bridge.
struct WarmNamespace {
  NewNamespace space;
  int link_index = 0;  // of eth0
};

/// Keeps a few warm namespaces and makes more on one thread of its own, off the path of a start.
/// Unused ones vanish with the process: only its descriptors hold them. Thread-safe.
class NamespacePool {
 public:
  struct Options {
    std::string bridge;
    int mtu = 1500;
    unsigned size = 4;
  };

  /// The bridge exists. The namespace of the calling thread is the host's.
  static Result<std::unique_ptr<NamespacePool>> create(Options options);
  virtual ~NamespacePool() = default;

  /// A warm one, or waits for the maker (deadline 30 s, then Unavailable). Errors: of the making.
  virtual Result<WarmNamespace> take() = 0;
};

}  // namespace flotilla::engine
