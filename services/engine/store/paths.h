#pragma once

#include <string>

namespace flotilla::engine {

/// The whole on-disk layout of one engine.
///
///   <root>/                        /var/lib/flotilla, survives reboots, 0711 root
///     engine.db                    SQLite, WAL: every record
///     engine-id                    this engine's ID
///     engine.lock                  held by the daemon, or by all workers; names their run folder
///     blobs/sha256/<hex>           image content by digest
///     layers/<chain hex>/fs        unpacked layers
///     l/<short>                    -> ../layers/<chain hex>/fs, short names for overlay's options
///     containers/<id>/             0710
///       journal                    transitions, appended by the shim
///       <id>-json.log[.1...]       logs
///       upper/ work/ rootfs/       overlay; rootfs is mounted only in the shim's namespace
///       hosts hostname resolv.conf mounted into the container
///       bundle/config.json
///     volumes/<name>/_data
///     tmp/                         half-made things; emptied at start-up
///     bin/<digest>/                programs of an engine in a container (worker/host_entry.h)
///   <run>/                         /run/flotilla, gone at reboot, 0711 root
///     flotilla.sock flotilla.pid
///     crun/                        the runtime's --root
///     streams/                     0750: stream ports of workers; with --group it, containers/ and
///     what is in them
///                                  are of the gateways' group
///     locks/<id>.lock              per-container transition locks
///     workers/<worker>.lock        held by each worker as long as it lives
///     leader.lock start.lock       held by the host's leader; by the worker that starts
///     bell                         written and watched by all workers: somebody committed
///     containers/<id>/             0710: launch.json ctl.sock io.sock shim.lock binds/ exec-*.json
class Paths {
 public:
  Paths(std::string root, std::string run) : root_(std::move(root)), run_(std::move(run)) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] const std::string& run() const { return run_; }
  [[nodiscard]] std::string database() const { return root_ + "/engine.db"; }
  [[nodiscard]] std::string engineId() const { return root_ + "/engine-id"; }
  [[nodiscard]] std::string rootLock() const { return root_ + "/engine.lock"; }
  [[nodiscard]] std::string blobs() const { return root_ + "/blobs/sha256"; }
  [[nodiscard]] std::string layers() const { return root_ + "/layers"; }
  [[nodiscard]] std::string links() const { return root_ + "/l"; }
  [[nodiscard]] std::string volumes() const { return root_ + "/volumes"; }
  [[nodiscard]] std::string tmp() const { return root_ + "/tmp"; }
  [[nodiscard]] std::string programs() const { return root_ + "/bin"; }
  [[nodiscard]] std::string containers() const { return root_ + "/containers"; }
  [[nodiscard]] std::string container(const std::string& id) const {
    return containers() + "/" + id;
  }
  [[nodiscard]] std::string journal(const std::string& id) const {
    return container(id) + "/journal";
  }
  [[nodiscard]] std::string log(const std::string& id) const {
    return container(id) + "/" + id + "-json.log";
  }
  [[nodiscard]] std::string bundle(const std::string& id) const {
    return container(id) + "/bundle";
  }
  [[nodiscard]] std::string rootfs(const std::string& id) const {
    return container(id) + "/rootfs";
  }
  [[nodiscard]] std::string runContainers() const { return run_ + "/containers"; }
  [[nodiscard]] std::string runContainer(const std::string& id) const {
    return runContainers() + "/" + id;
  }
  [[nodiscard]] std::string runtimeRoot() const { return run_ + "/crun"; }
  [[nodiscard]] std::string streams() const { return run_ + "/streams"; }
  [[nodiscard]] std::string locks() const { return run_ + "/locks"; }
  [[nodiscard]] std::string workers() const { return run_ + "/workers"; }
  [[nodiscard]] std::string leaderLock() const { return run_ + "/leader.lock"; }
  [[nodiscard]] std::string startLock() const { return run_ + "/start.lock"; }
  [[nodiscard]] std::string bell() const { return run_ + "/bell"; }

 private:
  std::string root_, run_;
};

/// The container's cgroup, below each hierarchy's mount point.
inline std::string cgroupPath(const std::string& id) { return "/flotilla/" + id; }

}  // namespace flotilla::engine
