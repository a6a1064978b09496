#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/shim/event_loop.h"
#include "engine/shim/log_file.h"

namespace flotilla::engine::shim {

/// A point between two reads of container output, in terms of the log. Every byte before it is in
/// entries before `position`, or in the unfinished lines `carry_out` and `carry_err`.
struct LogMark {
  LogPosition position;
  std::string carry_out;
  std::string carry_err;
};

/// Writes container output to the log on a thread of its own, so that a slow disk delays neither
/// control nor streams. All methods on the loop's thread. At most kBuffers reads are under way;
/// then the caller waits for room (back-pressure) or drops, as it is configured.
class LogWriter {
 public:
  static constexpr std::size_t kBufferSize = 64 * 1024;

  LogWriter(EventLoop& loop, const LogConfig& config);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// A free buffer of kBufferSize bytes to read into, or null: onRoom follows when there is one.
  char* acquire();
  void release(char* buffer);
  /// The first `size` bytes of an acquired buffer came from `channel` just now.
  void submit(char* buffer, std::size_t size, Channel channel);
  /// `channel` has ended: a line without newline is written as it is.
  void endOfOutput(Channel channel);

  /// Runs `done` on the loop once everything submitted before is in the file, with the place.
  void mark(std::function<void(const LogMark&)> done);
  /// Gives the pages of the free buffers back to the kernel.
  void releaseMemory();
  void onRoom(std::function<void()> room) { on_room_ = std::move(room); }

  /// Opens the file of `generation` for reading; invalid when it was rotated away or never was.
  UniqueFd openGeneration(std::uint64_t generation);
  /// False once a rotation has emptied the file of `generation` (a single file is used over again):
  /// what is read from an open descriptor then is another's.
  [[nodiscard]] bool holds(std::uint64_t generation);
  /// The files of former rotations, oldest first, and then generation 0.
  std::vector<UniqueFd> openOlder(std::uint64_t& newest_generation);

 private:
  static constexpr std::size_t kBuffers = 4;
  struct Item {
    enum class Kind { Data, End, Mark, Quit } kind;
    char* buffer = nullptr;
    std::size_t size = 0;
    Channel channel = Channel::Stdout;
    std::function<void(const LogMark&)> done;
  };
  struct Finished {
    std::function<void(const LogMark&)> done;
    LogMark mark;
  };

  void push(Item item);
  void threadMain();
  void handle(Item& item);
  LineSplitter& splitter(Channel channel) { return channel == Channel::Stderr ? err_ : out_; }
  void notify();
  void onNotified();

  EventLoop& loop_;
  std::unique_ptr<char[]> memory_;
  std::vector<char*> free_;  // loop thread; most recently used last
  bool wants_room_ = false;  // loop thread
  std::function<void()> on_room_;
  EventLoop::Id watch_ = 0;
  UniqueFd event_;

  std::mutex mutex_;  // guards what follows up to the file
  std::condition_variable work_;
  std::deque<Item> queue_;
  std::vector<char*> returned_;
  std::vector<Finished> finished_;
  bool room_asked_ = false;

  std::mutex file_mutex_;  // rotation against readers that look up names
  LogFile file_;
  LineSplitter out_;  // log thread
  LineSplitter err_;
  std::thread thread_;
};

}  // namespace flotilla::engine::shim
