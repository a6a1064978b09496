#pragma once

namespace flotilla {

/// `flotilla daemon`: all services in one process, with an in-memory queue between them. `argv[0]`
/// is the command's name. Returns the exit code: 0 after a clean end, 1 with the reason on standard
/// error.
int daemonMain(int argc, const char* const* argv);

}  // namespace flotilla
