#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/error/result.h"
#include "common/net/address.h"
#include "common/os/unique_fd.h"

namespace flotilla::net {

struct ListenOptions {
  int backlog = 4096;
  mode_t mode = 0660;               // of a unix socket's file
  std::optional<gid_t> group = {};  // owner group of a unix socket's file
};

/// A listening, non-blocking socket on a unix path or a TCP port (0: the kernel's choice). A stale
/// unix socket file that nobody serves is replaced; the file appears with its final mode.
/// Errors: Conflict when another process serves the address; InvalidArgument for names that do not
/// resolve and for Inherited; else sysError naming the address. Blocks while a host name resolves.
Result<UniqueFd> listenOn(const Address& address, const ListenOptions& options = {});

/// A non-blocking socket whose connection is made or under way; the end shows as writability, then
/// connectError(). Never blocks: a TCP host must be an IP literal or "localhost".
/// Errors: InvalidArgument, Unavailable naming the address. sysErrno() is EAGAIN when a unix
/// listener's queue is full: try again a little later.
Result<UniqueFd> startConnect(const Address& address);
/// `address` with its host name, if it has one, replaced by its first IP literal. Blocks while the
/// name resolves: for threads that may. Errors: Unavailable naming the address.
Result<Address> resolveBlocking(const Address& address);
/// The outcome of a connection that was under way: 0 or an errno.
int connectError(int fd);

/// Connects and waits for it; the socket is blocking. Host names are resolved. For threads that may
/// block (clients). Errors: Unavailable naming the address, DeadlineExceeded.
Result<UniqueFd> connectBlocking(const Address& address, int timeout_ms);

/// Who is at the other end, for logs: "unix:pid=1,uid=0" or "10.0.0.1:4711".
std::string peerName(int fd);
/// The address a listening socket is bound to (the port the kernel chose).
Result<Address> localAddress(int fd);

/// TCP_NODELAY and keep-alive probes; nothing on a unix socket.
void tuneConnection(int fd);

}  // namespace flotilla::net
