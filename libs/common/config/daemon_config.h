#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <functional>
#include <iosfwd>
#include <string>

#include "common/error/result.h"

/// Layered settings of a service: command line over a daemon.json over environment.
///
/// Options are declared once on a CLI::App; a member of the JSON file is the long name of an option
/// without its dashes (dockerd's key names: "hosts", "log-level", "tlsverify"; add the key as a
/// second long name where it differs from the flag), the environment is ->envname(). Arrays fill
/// lists, objects fill lists of key=value. Unknown keys and bad values are refused by name.
namespace flotilla::config {

enum class Outcome {
  Run,   // options are set, go on
  Done,  // --help, --version or --validate was answered; exit 0
};

/// Adds --config-file (default `default_path`, which may be missing; a named file must exist) and
/// --validate to `app`.
void useDaemonJson(CLI::App& app, const std::string& default_path);

/// Parses and never throws. Help and version texts go to `out`. `finish` sets defaults and checks
/// what no single option can: it runs before the program does, and before --validate approves.
/// Errors: InvalidArgument, those of `finish`.
Result<Outcome> parse(CLI::App& app, int argc, const char* const* argv, std::ostream& out,
                      const std::function<Result<void>()>& finish = {});

}  // namespace flotilla::config
