#pragma once

#include <termios.h>

#include <optional>

#include "common/error/result.h"

namespace flotilla::cli {

struct TerminalSize {
  unsigned short rows = 0;
  unsigned short columns = 0;
};

/// Size of the terminal on `fd`; nullopt when it is none.
std::optional<TerminalSize> terminalSize(int fd);

/// Puts a terminal into raw mode and restores it when destroyed.
class RawTerminal {
 public:
  static Result<RawTerminal> enter(int fd);
  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  RawTerminal(int fd, const termios& saved) : fd_(fd), saved_(saved) {}
  int fd_;
  termios saved_;
};

}  // namespace flotilla::cli
