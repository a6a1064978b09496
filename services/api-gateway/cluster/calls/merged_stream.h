#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api-gateway/cluster/calls/cluster_call.h"
#include "common/net/stream.h"

namespace flotilla::gateway {

/// A stream that the gateway itself writes for a client: text is kept until the client takes it,
/// and whoever produces it is told when to pause. On the reactor's thread.
class MergedStream : public std::enable_shared_from_this<MergedStream> {
 public:
  struct Callbacks {
    std::function<void(net::StreamPtr)> on_client;  // came for the stream; may be empty
    std::function<void()> on_gone;                  // did not come, or left
    std::function<void(bool full)> on_full;         // pause, resume
  };

  static std::shared_ptr<MergedStream> create(Callbacks callbacks);

  /// Where the client is to come.
  StreamEndpoint offer(StreamServer& streams);

  void write(std::string_view text);
  /// For an on_client that takes the stream's callbacks for itself: there is room again.
  void writable() { pump(); }
  /// Ends the stream once all is written.
  void finish();
  /// Ends it now.
  void abort();
  [[nodiscard]] bool silent() const { return !spoken_; }

  explicit MergedStream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

 private:
  void connected(Result<net::StreamPtr> stream);
  void pump();
  void gone();
  void setFull(bool full);

  Callbacks callbacks_;
  net::StreamPtr stream_;
  std::string waiting_;
  bool spoken_ = false;
  bool full_ = false;
  bool finishing_ = false;
  bool ended_ = false;
};

}  // namespace flotilla::gateway
