#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace flotilla::engine::shim {

/// Where container output comes from; the value is the type byte of Docker's multiplexing header.
enum class Channel : std::uint8_t { Stdin = 0, Stdout = 1, Stderr = 2, System = 3 };

/// Docker cuts longer lines into several entries of the json-file log.
inline constexpr std::size_t kMaxLine = 16 * 1024;
/// No entry is longer: every byte as \u00XX, and the fixed text around it.
inline constexpr std::size_t kMaxEntry = 6 * kMaxLine + 128;

/// Writes `text` as the inside of a JSON string the way Docker's json-file driver does: \" \\ \n
/// \r, other control characters and < > & as \u00XX, U+2028/9 escaped, invalid UTF-8 as \ufffd.
/// Returns the end of what was written; `out` has room for 6 bytes per input byte.
char* escapeJson(char* out, std::string_view text);

/// Times as RFC 3339 with nanoseconds, trailing zeros cut, UTC. Keeps the last second's text.
class TimeFormatter {
 public:
  char* write(char* out, const timespec& time);

 private:
  std::time_t second_ = -1;
  char text_[20] = {};  // "2026-01-02T03:04:05."
};

/// One json-file entry: {"log":"<line>","stream":"stdout","time":"..."}\n
char* writeEntry(char* out, std::string_view line, Channel channel, const timespec& time,
                 TimeFormatter& formatter);

/// Cuts one channel's bytes into the lines of log entries: at newlines (kept in the line), or after
/// kMaxLine bytes, never inside a UTF-8 sequence. What has no newline yet is carried over.
class LineSplitter {
 public:
  /// Calls `entry(line, first_seen)` for each complete line in `bytes`. `line` is valid during the
  /// call. A line's time is that of its first byte's arrival.
  template <class Entry>
  void feed(std::string_view bytes, const timespec& now, Entry&& entry) {
    while (!bytes.empty()) {
      if (carry_.empty()) {
        started_ = now;
        const std::size_t length = completeLine(bytes);
        if (length != 0) {
          entry(bytes.substr(0, length), started_);
          bytes.remove_prefix(length);
          continue;
        }
        carry_.assign(bytes);
        return;
      }
      bytes.remove_prefix(extendCarry(bytes));
      const std::size_t length = completeLine(carry_);
      if (length != 0) {
        entry(std::string_view(carry_).substr(0, length), started_);
        carry_.erase(0, length);
      }
    }
  }

  /// The last line had no newline: it is an entry all the same.
  template <class Entry>
  void finish(Entry&& entry) {
    if (!carry_.empty()) {
      entry(std::string_view(carry_), started_);
      carry_.clear();
    }
  }

  /// Bytes that are in no entry yet.
  [[nodiscard]] const std::string& carry() const { return carry_; }

 private:
  static std::size_t completeLine(std::string_view bytes);
  /// Appends the bytes of `more` that belong to the carried line; returns how many.
  std::size_t extendCarry(std::string_view more);

  std::string carry_;
  timespec started_{};
};

}  // namespace flotilla::engine::shim
