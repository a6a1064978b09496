#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/shim/client_stream.h"
#include "engine/shim/detach_keys.h"
#include "engine/shim/event_loop.h"
#include "engine/shim/log_replay.h"
#include "engine/shim/log_writer.h"
#include "engine/shim/runtime.h"

namespace flotilla::engine::shim {

/// Standard streams of one process (the container's or an exec's): pipes or a pty on one side, the
/// log and any number of clients on the other. Loop thread only; owned by a shared_ptr.
///
/// Lossless clients and the log push back: output is read only as fast as they take it. Other
/// clients fall behind and continue from the log.
class ProcessIo : public std::enable_shared_from_this<ProcessIo> {
 public:
  struct Options {
    bool tty = false;
    bool open_stdin = false;
    bool stdin_once = false;
    bool drop_when_full = false;  // non-blocking log
  };

  /// `log` may be null; else it outlives this.
  ProcessIo(EventLoop& loop, LogWriter* log, Options options);
  ~ProcessIo();
  ProcessIo(const ProcessIo&) = delete;
  ProcessIo& operator=(const ProcessIo&) = delete;

  /// Makes the pipes (none but /dev/null with a tty) and returns the process's ends; closeChildEnds
  /// once it has them. Errors: Internal.
  Result<StdioFds> open();
  void closeChildEnds();
  /// The pty's master side, from the runtime, which gets its size (0: as it is) before any input.
  void adoptConsole(UniqueFd master, unsigned height, unsigned width);
  /// Puts `text` in place of the first output on stderr when `reword` gives one (see
  /// rewordExecError).
  void rewordFirstOutput(std::function<std::string(std::string_view)> reword);

  void attach(const std::shared_ptr<ClientStream>& stream);
  [[nodiscard]] bool hasClients() const { return !clients_.empty(); }
  /// Clients sent input, or its end, that the process has not been given yet.
  [[nodiscard]] bool hasInput() const {
    return !input_queue_.empty() || (input_closing_ && !input_closed_);
  }
  /// Called from the loop each time the last client has gone.
  void onLastClientGone(std::function<void()> gone) { last_client_gone_ = std::move(gone); }
  /// A lossless client is to come: nothing is read until it is there, or release() gives up.
  void hold();
  void release();
  /// Forgets output that was not read yet: the process never ran, what waits is the runtime's.
  void discardOutput();

  [[nodiscard]] bool resize(unsigned height, unsigned width);
  /// There is room again in the log.
  void resume();

  /// The process is gone. `settled` runs once all its output is in the log and taken by every
  /// lossless client, or after two seconds.
  void processExited(std::function<void()> settled);
  /// Ends every stream after what is left for it. `idle` runs when the last one is gone.
  void finish(std::function<void()> idle);
  /// The stream of an exec that never started: `message` and the end.
  void failWith(const std::string& message);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Output {
    UniqueFd fd;
    EventLoop::Id watch = 0;
    Channel channel = Channel::Stdout;
  };
  struct Client {
    std::shared_ptr<ClientStream> stream;
    std::shared_ptr<LogReplay> replay;  // set while it is not live
    std::optional<DetachKeys> detach;
  };

  void watchOutput(Output& output);
  [[nodiscard]] bool blocked() const;
  [[nodiscard]] bool outputEnded() const { return !outputs_[0].fd && !outputs_[1].fd; }
  void updateWatches();
  void readOutput(Output& output);
  bool readPiece(Output& output);
  void deliver(Channel channel, std::string_view bytes);
  void deliverTo(Client& client, Channel channel, std::string_view bytes);
  void fallBehind(Client& client);
  void joinReplay(const ClientStream* stream);
  void startReplay(Client& client);
  void endOutput(Output& output);
  void checkSettled();
  void settle();
  void closeOutputs();
  void endStreamsWhenDone();

  void onInput(ClientStream* stream, std::string_view bytes);
  void onInputEnd(ClientStream* stream);
  void onGone(const ClientStream* stream);
  void writeInput();
  void closeInputWhenWritten();
  Client* find(const ClientStream* stream);

  EventLoop& loop_;
  LogWriter* log_;
  Options options_;
  std::array<Output, 2> outputs_;  // with a tty: the master, and nothing
  std::vector<UniqueFd> child_ends_;
  UniqueFd input_;  // invalid with a tty: the master is used
  EventLoop::Id input_watch_ = 0;
  std::string input_queue_;
  bool input_closing_ = false;  // once the queue is written
  bool input_closed_ = false;
  std::vector<Client> clients_;
  int holds_ = 0;
  bool waiting_for_log_ = false;
  std::function<std::string(std::string_view)> reword_;

  bool console_expected_ = false;
  bool exited_ = false;
  bool flush_asked_ = false;
  bool log_flushed_ = false;
  bool closing_ = false;
  EventLoop::Id settle_timer_ = 0;
  std::function<void()> settled_;
  std::function<void()> idle_;
  std::function<void()> last_client_gone_;
  std::uint64_t dropped_ = 0;
};

}  // namespace flotilla::engine::shim
