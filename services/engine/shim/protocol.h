#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What the engine and flotilla-shim say to each other. Used by both; depends on nothing else.
///
/// One shim per container, started by the first of attach and start:
///   flotilla-shim <launch.json>       cwd = <run>/containers/<id>; inherits
///     fd 3  "ready" pipe: the shim writes one byte once its sockets listen, then closes it
///     fd 4  network namespace of the container, when LaunchSpec::has_netns
///     fd 5  lock file <run>/containers/<id>/shim.lock, already flocked exclusively by the engine
///           (the lock is of the open file description, so it is held exactly while the shim lives)
///     fds 6.. sources of bind mounts opened with open_tree(), LaunchSpec::binds in order
///           (and published-port listeners after them, LaunchSpec::port_fds of them: held only)
///
/// Sockets, in <run>/containers/<id>/ (0710, root and the gateways' group):
///   ctl.sock  SOCK_SEQPACKET; one JSON object a packet, at most 64 KiB: {"op": ..., ...}; every
///             request is answered by one packet {"ok": true, ...} or {"error": msg, "kind": kind,
///             "code": 125|126|127}; requests of one connection are answered in order. The same
///             connection receives {"event": "journal", "seq": N} after each appended line once it
///             sent {"op": "subscribe"}.
///   io.sock   SOCK_STREAM; the peer sends "<ticket>\n", then the stream starts at once.
///
/// Requests (op):
///   subscribe                       -> {ok, seq}            seq of the newest journal line
///   consumed {seq}                  -> {ok}                 the engine stored these lines; the
///   shim
///                                      empties the journal when they were all and it has grown
///   go {}                           -> {ok, pid}            starts the process; answered once it
///                                      runs, or with the runtime's error in Docker's words.
///                                      After a failed go the shim ends (journal: start_failed).
///   expect_attach {ticket, stdin, stdout, stderr, logs(bool: replay log first), stream(bool),
///                  detach_keys(bytes as JSON ints)}         -> {ok}   ticket valid 10 s
///   resize {height, width}          -> {ok}                 tty of the container
///   exec_create is the engine's; the shim may be told that it is about to start:
///   exec_prepare {exec_id, tty, stdin} -> {ok}              loads the runtime and lets it wait for
///                                      2 s. A hint: whether it was heeded shows in nothing but
///                                      the time that exec_start takes
///   exec_start {exec_id, process_file (path of an OCI process JSON), tty, stdin, stdout, stderr,
///               ticket ("" when detached), detach_keys, height, width} -> {ok, pid}
///                                      with a ticket: answered (pid 0) once the ticket is armed;
///                                      the process starts at once and its output waits in the pipe
///                                      for the stream (10 s; after that it is discarded). A
///                                      failure to start is then the stream's text, as in Docker.
///                                      Detached: answered once it runs or with the error.
///   exec_resize {exec_id, height, width} -> {ok}
///   exec_state {exec_id}            -> {ok, running, pid, exit_code|null}; NotFound 5 min after
///   exit signal {signal}                 -> {ok}                 to the init process pause {},
///   resume {}             -> {ok}                 freezes the container's cgroup pids {} -> {ok,
///   pids:[...]}     host pids in the container's cgroup stopping {manual(bool)}         -> {ok} no
///   restart after the next exit; a
///                                      shim asleep in restart back-off ends now
///   restart_policy {name, max_retries} -> {ok}
///   limits {resources (members of OCI's linux.resources; pids null: no limit)} -> {ok}
///                                      changes the running process's cgroup, then config.json for
///                                      the next start of this shim
///   end {}                          -> {ok}                 a created container was removed: leave
///
/// The user: config.json's annotation "org.flotilla.user" (user[:group], names or ids) and
/// "org.flotilla.group_add" (JSON list of names or ids) are resolved from /etc/passwd and
/// /etc/group of the mounted root; process.user is completed before the runtime sees it. In the
/// process file of an exec both are members of the process object itself.
///
/// Journal, <root>/containers/<id>/journal: one JSON object a line, appended (and, when it says so
/// here, fdatasync'ed never: power loss means the boot id changed) before the shim acts on it:
///   {"seq":1,"run":1,"what":"start","time":<ns>,"pid":4711,"pid_start":<jiffies>,"boot":"<boot
///   id>"}
///   {"seq":2,...,"what":"start_failed","error":"...","kind":"invalid_argument","code":127}
///   {"seq":3,...,"what":"exit","exit_code":0,"oom":false,"restarting":false,"delay_ms":0}
///   {"seq":4,...,"what":"exec_start","exec":"<id>","pid":...}
///   {"seq":5,...,"what":"exec_exit","exec":"<id>","exit_code":7}   (no exec_start before: it
///                                      failed to start, "error" says why)
///   {"seq":6,...,"what":"end"}         the shim leaves: namespaces and cgroup are released. After
///                                      an exit with restarting:true: the restart was called off
/// The engine turns lines into rows and events once, by storing the seq it consumed in the same
/// transaction. `exit` is written only after all output is in the log and on every stream
/// (at most 2 s of waiting if a stranger holds the pipe).
namespace flotilla::engine::shim {

inline constexpr int kReadyFd = 3;
inline constexpr int kNetnsFd = 4;
inline constexpr int kLockFd = 5;
inline constexpr int kFirstPassedFd = 6;
inline constexpr std::size_t kMaxPacket = 64 * 1024;

/// The shim places passed tree N (move_mount) at <run>/containers/<id>/binds/<N> in its own mount
/// namespace; config.json's mounts name that path as their source, so that no host path is resolved
/// twice and the runtime makes the destination safely inside the root.
struct BindMount {
  std::string source;        // host path, for messages only
  bool shared = false;       // keep it a peer of the host's mount (rshared, shared)
  bool is_directory = true;  // kind of mount point to make
};

struct LogConfig {
  std::string path;                       // "" = no log file (driver none)
  std::uint64_t max_size = 20ULL << 20U;  // 0 = no limit
  unsigned max_files = 5;
  bool non_blocking = false;
};

struct RestartPolicy {
  std::string name = "no";   // no, always, unless-stopped, on-failure
  unsigned max_retries = 0;  // on-failure only; 0 = for ever
};

struct OverlayConfig {
  std::string link_dir;            // chdir here before mounting: lower names are short links in it
  std::vector<std::string> lower;  // topmost first, relative to link_dir
  std::string upper;
  std::string work;
  std::string merged;  // mount point = the bundle's root.path
};

/// Everything a shim needs to run its container, written as JSON to
/// <run>/containers/<id>/launch.json.
struct LaunchSpec {
  std::string container_id;
  std::string bundle;        // directory with config.json
  std::string journal;       // path
  std::string runtime;       // path of crun or runc
  std::string runtime_root;  // --root
  std::string cgroup_path;   // as in config.json linux.cgroupsPath, e.g. /flotilla/<id>
  OverlayConfig overlay;
  std::vector<BindMount> binds;  // sources are passed as descriptors
  unsigned port_fds = 0;         // published-port sockets passed after the binds: held only
  bool has_netns = false;
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;
  bool init = false;
  unsigned height = 0;  // initial console size, 0 = leave
  unsigned width = 0;
  LogConfig log;
  RestartPolicy restart;
  int oom_score_adj = 0;        // the container's; the shim lowers its own
  std::uint64_t first_seq = 1;  // of the next journal line
  unsigned run = 0;             // runs so far
};

std::string encode(const LaunchSpec& spec);
/// False when `text` is not a LaunchSpec; `spec` is unspecified then.
bool decode(const std::string& text, LaunchSpec& spec);

}  // namespace flotilla::engine::shim
