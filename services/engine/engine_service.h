#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/queue/job_queue.h"
#include "common/stream/stream_exporter.h"

namespace flotilla::engine {

/// How a worker lives with others on one state folder.
struct SharingOptions {
  std::string worker_id;  // the name of its lock in <run>/workers
  bool alone = false;     // no other worker lives: what is half made belongs to nobody
  std::function<bool(const std::string& worker)> lives;  // does that other worker live?
  std::function<void()> on_lead =
      {};  // this worker leads from now on; once, on the reactor's thread
};

struct EngineOptions {
  std::string root = "/var/lib/flotilla";
  std::string run = "/run/flotilla";
  std::string name;  // shown by info; "" = the host's
  std::vector<std::string> labels;
  std::string version = "0.1.0";
  std::string bridge_name = "flotilla0";
  std::string table_name = "flotilla";
  std::string bip;             // address of the bridge, "" = chosen
  std::string runtime_path;    // "" = crun, else runc
  std::string program_dir;     // of flotilla-shim and flotilla-unpack, "" = this program's
  std::string init_path;       // of the program for --init, "" = found on the host
  std::string stream_group;    // its members may connect to streams; "" = root alone
  std::string registry_proxy;  // where it listens, "" = unix://<run>/registry-proxy.sock
  std::size_t max_concurrent_downloads = 3;
  int max_download_attempts = 5;
  std::optional<SharingOptions> sharing = {};  // absent: the only worker there can be
  std::size_t query_threads = 4;
  std::size_t work_threads = 32;
  /// For gateways on other hosts: every stream is handed out through this TLS port.
  std::optional<StreamExporter::Options> stream_export = {};
};

/// One worker of an engine: opens its state, makes it agree with the host and serves jobs. Only
/// this class sees every other.
class EngineService {
 public:
  /// Opens the store and wires everything; serves nothing yet. `reactor` and `queue` outlive the
  /// service; the reactor runs from start() on. No text is asked of `metrics` after the service is
  /// gone. Errors: what cannot be opened, by name.
  static Result<std::unique_ptr<EngineService>> create(EngineOptions options, Reactor& reactor,
                                                       JobQueue& queue, Metrics& metrics);
  /// The engine's ID: made once, kept in <root>/engine-id. Errors: what keeps that file from being
  /// read or made, by name; Internal when it is empty.
  static Result<std::string> engineId(const std::string& root);

  /// After stop(), when the reactor does not run any more.
  ~EngineService();
  EngineService(const EngineService&) = delete;
  EngineService& operator=(const EngineService&) = delete;

  /// Reconciles with the host, then serves jobs. Blocks for as long as the first part takes; not on
  /// the reactor's thread.
  Result<void> start();
  /// Another worker of this host died: looks after its containers. From any thread.
  void workerGone();
  /// No more jobs are taken. Containers go on. Idempotent.
  void stop();

  [[nodiscard]] const std::string& id() const;
  /// "host:port" of the port for streams, "" without options.stream_export.
  [[nodiscard]] std::string streamAddress() const;

 private:
  struct Parts;
  explicit EngineService(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace flotilla::engine
