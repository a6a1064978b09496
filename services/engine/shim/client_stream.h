#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/os/unique_fd.h"
#include "engine/shim/event_loop.h"
#include "engine/shim/json_log.h"

namespace flotilla::engine::shim {

/// What an attached client asked for.
struct StreamOptions {
  bool in = false;
  bool out = true;
  bool err = true;
  bool raw = false;      // tty: no multiplexing headers
  bool lossless = true;  // back-pressure to the process; else it falls behind and reads the log
  bool replay = false;   // the log so far first
  bool live = true;      // go on with output to come
  std::string detach_keys;
};

/// One connected client of a process's standard streams. Loop thread only.
class ClientStream : public std::enable_shared_from_this<ClientStream> {
 public:
  struct Events {
    std::function<void(std::string_view)> input;  // bytes for the process
    std::function<void()> input_end;              // the client half-closed (once)
    std::function<void()> drained;                // the backlog became empty
    std::function<void()> gone;                   // closed, by either side (once)
  };

  /// `fd` is a connected non-blocking stream socket.
  static std::shared_ptr<ClientStream> create(EventLoop& loop, UniqueFd fd, StreamOptions options);
  ClientStream(EventLoop& loop, UniqueFd fd, StreamOptions options);
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  void start(Events events);

  [[nodiscard]] const StreamOptions& options() const { return options_; }
  [[nodiscard]] bool wants(Channel channel) const;
  [[nodiscard]] bool isGone() const { return !fd_; }
  /// Bytes accepted but not yet taken by the socket.
  [[nodiscard]] std::size_t backlog() const { return backlog_.size() - sent_; }

  /// Sends output; what the socket does not take is kept. Channels the client did not ask for are
  /// ignored.
  void write(Channel channel, std::string_view bytes);
  /// Stops and resumes reading the client's input.
  void enableInput(bool enabled);
  /// Ends the output once the backlog is sent, then closes.
  void finish();
  /// Tells a multiplexed client why its stream ends early, and finishes.
  void fail(std::string_view message);

 private:
  void onEvents(std::uint32_t events);
  void readInput();
  void flush();
  void updateWatch();
  void close();

  EventLoop& loop_;
  UniqueFd fd_;
  StreamOptions options_;
  Events events_;
  EventLoop::Id watch_ = 0;
  std::string backlog_;
  std::size_t sent_ = 0;  // of backlog_
  bool input_enabled_ = true;
  bool input_ended_ = false;
  bool finishing_ = false;
};

}  // namespace flotilla::engine::shim
