#pragma once

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/images/image_store.h"
#include "engine/network/network_manager.h"
#include "engine/volumes/volume_store.h"

namespace flotilla::engine::testing_support {

/// One image, "busybox".
class FakeImages final : public ImageSource {
 public:
  Result<ResolvedImage> resolve(std::string_view reference) override {
    if (reference != "busybox") {
      return Error{ErrorKind::NotFound, "No such image: " + std::string(reference) + ":latest"};
    }
    ResolvedImage image;
    image.id = "sha256:" + std::string(64, 'a');
    image.config = config;
    return image;
  }
  Result<std::vector<std::string>> lowerDirs(const std::vector<std::string>&) override {
    return std::vector<std::string>{};
  }
  std::string linkDir() const override { return "/nowhere"; }
  Result<std::uint64_t> diskSize(const std::vector<std::string>&) override {
    return std::uint64_t{0};
  }

  ImageConfig config;
};

/// Gives addresses in order and remembers who has one.
class FakeNetworks final : public NetworkManager {
 public:
  Result<UniqueFd> isolated() override { return UniqueFd(); }
  Result<Attachment> attach(const AttachRequest& request, const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (fail_next_) {
      return *std::exchange(fail_next_, std::nullopt);
    }
    Attachment attachment;
    attachment.endpoint.network = request.network;
    attachment.endpoint.network_id = "net-" + request.network;
    attachment.endpoint.ipv4_address = "172.17.0." + std::to_string(++last_);
    attached_.insert(request.container_id);
    return attachment;
  }
  Result<void> release(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    attached_.erase(id);
    return {};
  }
  Result<void> join() override { return {}; }
  Result<void> reconcile(const std::vector<std::pair<std::string, Endpoint>>& running) override {
    const std::lock_guard lock(mutex_);
    attached_.clear();
    for (const auto& [id, endpoint] : running) {
      attached_.insert(id);
    }
    return {};
  }
  Result<NetworkSummary> find(const std::string&) override { return NetworkSummary{}; }
  Result<std::string> inspectJson(const std::string&) override { return std::string(); }
  Result<std::string> listJson(const NetworkFilters&) override { return std::string(); }
  std::vector<std::string> warnings() override { return {}; }

  void failNext(Error error) {
    const std::lock_guard lock(mutex_);
    fail_next_ = std::move(error);
  }
  bool attached(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return attached_.contains(id);
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::set<std::string> attached_;
  std::optional<Error> fail_next_;
  int last_ = 1;
};

class FakeVolumes final : public VolumeStore {
 public:
  Result<Volume> create(const VolumeRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (room_ && *room_ == volumes_.size()) {
      return sysError("make a volume", ENOSPC);
    }
    Volume volume;
    volume.name = request.name.empty() ? "anonymous" + std::to_string(++anonymous_) : request.name;
    volume.mountpoint = "/volumes/" + volume.name + "/_data";
    volumes_[volume.name] = volume;
    return volume;
  }
  std::optional<Volume> find(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(name);
    return found == volumes_.end() ? std::nullopt : std::optional(found->second);
  }
  Result<Volume> get(const std::string& name) override {
    auto found = find(name);
    return found ? Result<Volume>(*found)
                 : Error{ErrorKind::NotFound, "get " + name + ": no such volume"};
  }
  Result<std::vector<Volume>> list() override { return std::vector<Volume>{}; }
  Result<void> remove(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    volumes_.erase(name);
    return {};
  }
  Result<void> copyUp(const std::string&, int) override { return {}; }
  Result<void> appendMounted(Transaction&, const std::string&, const std::string&,
                             const std::string&, bool) override {
    return {};
  }
  Result<void> appendUnmounted(Transaction&, const std::string&, const std::string&) override {
    return {};
  }

  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex_);
    return volumes_.size();
  }
  /// More volumes than that cannot be made.
  void setRoom(std::size_t most) {
    const std::lock_guard lock(mutex_);
    room_ = most;
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Volume> volumes_;
  std::optional<std::size_t> room_;
  int anonymous_ = 0;
};

}  // namespace flotilla::engine::testing_support
