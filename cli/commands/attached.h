#pragma once

#include <optional>
#include <string>

#include "cli/client/api_client.h"
#include "cli/client/stream_pump.h"
#include "cli/client/terminal.h"

namespace flotilla::cli {

/// This process's terminal, lent to a container or an exec while its stream is attached.
class AttachedTerminal {
 public:
  /// `resize_path` is ".../resize" of the container or exec. Raw mode only with tty and input.
  static Result<AttachedTerminal> create(ApiClient& client, std::string resize_path, bool tty,
                                         bool input);

  /// Tells the daemon the terminal's size; harmless when it is none.
  void resize();

 private:
  AttachedTerminal(ApiClient& client, std::string resize_path)
      : client_(&client), resize_path_(std::move(resize_path)) {}
  ApiClient* client_;
  std::string resize_path_;
  std::optional<RawTerminal> raw_;
};

/// "the input device is not a TTY" when a terminal is asked for and stdin is none, as docker
/// refuses.
Result<void> checkTerminal(bool tty, bool input);

/// docker's exit code for a container that could not be started: 126, 127 or 125 by the cause.
int startFailureCode(const std::string& message);

}  // namespace flotilla::cli
