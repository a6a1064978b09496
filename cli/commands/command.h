#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "cli/client/api_client.h"
#include "common/error/result.h"

namespace flotilla::cli {

/// Exit codes of `run` and `exec` when the container's own process gave none.
constexpr int kDaemonFailed = 125;
constexpr int kCannotInvoke = 126;
constexpr int kNotFound = 127;

/// A verb to be executed once the command line is parsed: exit code, or the error to print.
using Action = std::function<Result<int>(ApiClient&)>;

/// What the verbs' parsers leave behind for main.
struct Chosen {
  Action action;
  std::string verb;
  /// Exit code when `action` fails (125 for run).
  int failure_code = 1;
  /// run prints its errors with the program's name and a hint, as docker does.
  bool hint_help = false;
};

void addRun(CLI::App& app, Chosen& chosen);
void addPs(CLI::App& app, Chosen& chosen);
void addImages(CLI::App& app, Chosen& chosen);
void addLogs(CLI::App& app, Chosen& chosen);
void addExec(CLI::App& app, Chosen& chosen);
void addStop(CLI::App& app, Chosen& chosen);
void addRm(CLI::App& app, Chosen& chosen);
void addPull(CLI::App& app, Chosen& chosen);
void addSwarm(CLI::App& app, Chosen& chosen);
void addLoad(CLI::App& app, Chosen& chosen);
void addVersion(CLI::App& app, Chosen& chosen);
void addInfo(CLI::App& app, Chosen& chosen);

/// Text member of an object; "" when missing or of another type.
std::string text(const nlohmann::json& object, const char* name);
/// Number member of an object; 0 when missing.
std::int64_t number(const nlohmann::json& object, const char* name);
/// {"a":["x","y"]} from "a=x" and "a=y", escaped by withQuery later. Errors: InvalidArgument.
Result<std::string> filtersJson(const std::vector<std::string>& filters);
/// Does `one` for each name, printing the name or the error; exit code 1 when any failed.
int forEachName(const std::vector<std::string>& names,
                const std::function<Result<void>(const std::string&)>& one);
void printError(const std::string& message);

}  // namespace flotilla::cli
