#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "engine/shim/client_stream.h"
#include "engine/shim/log_writer.h"

namespace flotilla::engine::shim {

/// Feeds one client from the log file while it is behind the live output: after it overflowed its
/// buffer, or from the log's beginning. When it has caught up, live output is joined without a gap
/// or a repeated byte. Loop thread only; owned by a shared_ptr.
class LogReplay : public std::enable_shared_from_this<LogReplay> {
 public:
  /// Live output that is kept while the last entries of the file are being sent.
  static constexpr std::size_t kMaxPending = 1U << 20U;

  LogReplay(std::shared_ptr<ClientStream> stream, LogWriter& log)
      : stream_(std::move(stream)), log_(log) {}

  /// The client has everything up to this moment; what is submitted to the log from now on is for
  /// the replay.
  void startHere();
  /// From the oldest entry there is.
  void startAtBeginning();
  /// `joined` runs once the client is live again (or was finished because it asked for the log
  /// only).
  void onJoined(std::function<void()> joined) { joined_ = std::move(joined); }

  /// Live output, to be seen by the client after what the file holds.
  void write(Channel channel, std::string_view bytes);
  /// The client's backlog is empty: send more.
  void pump();

 private:
  struct Pending {
    Channel channel;
    std::string bytes;
  };

  void openNext();
  void requestTarget();
  void reachedTarget();
  bool readMore();
  bool emitEntries();
  bool emitEntry(std::string_view line);
  void emit(Channel channel, std::string_view text);
  void fail(std::string_view why);

  std::shared_ptr<ClientStream> stream_;
  LogWriter& log_;
  std::function<void()> joined_;

  bool ready_ = false;          // the start is known
  std::deque<UniqueFd> older_;  // files of former rotations that come before generation_
  UniqueFd file_;
  std::uint64_t generation_ = 0;
  std::uint64_t offset_ = 0;  // in file_, of the byte behind raw_
  std::string raw_;           // read, not yet sent
  std::size_t skip_out_ = 0;  // bytes the client has of entries to come
  std::size_t skip_err_ = 0;
  bool exact_ = false;  // replaced bytes are not acceptable: this was live output

  bool target_asked_ = false;
  bool has_target_ = false;
  LogMark target_;
  std::deque<Pending> pending_;
  std::size_t pending_size_ = 0;
  bool pending_overflow_ = false;
  bool ended_ = false;
};

/// The two members of a json-file entry that matter here. False when `line` is none.
bool parseEntry(std::string_view line, Channel& channel, std::string& text, bool& replaced);

}  // namespace flotilla::engine::shim
