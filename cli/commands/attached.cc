#include "cli/commands/attached.h"

#include <unistd.h>

#include "cli/commands/command.h"

namespace flotilla::cli {

Result<AttachedTerminal> AttachedTerminal::create(ApiClient& client, std::string resize_path,
                                                  bool tty, bool input) {
  AttachedTerminal attached(client, tty ? std::move(resize_path) : std::string());
  if (tty && input && ::isatty(STDIN_FILENO) != 0) {
    FLO_TRY_ASSIGN(auto raw, RawTerminal::enter(STDIN_FILENO));
    attached.raw_.emplace(std::move(raw));
  }
  return attached;
}

void AttachedTerminal::resize() {
  const auto size = terminalSize(STDOUT_FILENO);
  if (resize_path_.empty() || !size || size->rows == 0 || size->columns == 0) {
    return;
  }
  // The process may be gone already; then there is nothing to resize.
  static_cast<void>(client_->post(resize_path_ + "?h=" + std::to_string(size->rows) +
                                  "&w=" + std::to_string(size->columns)));
}

Result<void> checkTerminal(bool tty, bool input) {
  if (tty && input && ::isatty(STDIN_FILENO) == 0) {
    return Error(ErrorKind::InvalidArgument, "the input device is not a TTY");
  }
  return {};
}

int startFailureCode(const std::string& message) {
  const auto says = [&message](const char* words) {
    return message.find(words) != std::string::npos;
  };
  if (says("executable file not found") || says("no such file or directory")) {
    return kNotFound;
  }
  if (says("permission denied") || says("is a directory")) {
    return kCannotInvoke;
  }
  return kDaemonFailed;
}

}  // namespace flotilla::cli
