#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/client/terminal.h"
#include "common/error/result.h"

namespace flotilla::cli {

/// The command line of `flotilla run`.
struct RunOptions {
  bool interactive = false, tty = false, detach = false, remove = false;
  bool read_only = false, privileged = false, init = false, publish_all = false;
  bool signal_proxy = true;
  std::string name, user, workdir, hostname, network, restart, entrypoint, detach_keys;
  std::string memory, memory_swap, shm_size, stop_signal, runtime, log_driver, platform;
  double cpus = 0;
  long long pids_limit = 0;
  long long cpu_shares = 0;
  int stop_timeout = -1;
  bool has_entrypoint = false;
  std::vector<std::string> publish, expose, volumes, env, env_files, labels, tmpfs, cap_add,
      cap_drop;
  std::vector<std::string> add_hosts, dns, security, group_add, devices, log_options, sysctls,
      ulimits;
  std::string image;
  std::vector<std::string> command;
};

/// Declares the flags; IMAGE and what follows it are left in `verb.remaining()`.
void addRunFlags(CLI::App& verb, RunOptions& options);

/// The body of POST /containers/create. `size` is the terminal's, where there is one.
/// Errors: InvalidArgument in docker's words.
Result<nlohmann::json> createBody(const RunOptions& options, std::optional<TerminalSize> size);

/// "8080:80", "127.0.0.1:8000-8001:80-81/udp", "[::1]:80:80", "80" into PortBindings' members.
/// Errors: InvalidArgument.
Result<void> addPublished(std::string_view spec, nlohmann::json& bindings);

}  // namespace flotilla::cli
