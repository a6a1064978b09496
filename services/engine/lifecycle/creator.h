#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/model/container.h"
#include "common/model/mount_spec.h"
#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

struct CreateOptions {
  std::string job;   // id of the job, "" = none
  std::string id;    // 64 hex digits, "" = a random one
  std::string name;  // "" = a random one
  ApiVersion version;
};

/// Makes containers: checks the request, resolves the image and merges its configuration, makes
/// volumes and folders, then stores the row, the `create` event and the job's result in one durable
/// transaction. Thread-safe.
class Creator {
 public:
  explicit Creator(LifecycleParts& parts) : parts_(parts) {}

  /// The answer's JSON {"Id","Warnings"}. Errors: NotFound "No such image: x:latest"; Conflict (the
  /// name); InvalidArgument in Docker's words.
  Result<std::string> create(model::CreateRequest request, const CreateOptions& options);

 private:
  Result<void> checkOtherContainers(const model::HostConfig& host);
  Result<ContainerSpec> makeSpec(model::CreateRequest request, const ResolvedImage& image,
                                 const std::string& id);
  /// Anonymous volumes that were made for one container, by name.
  using Made = std::vector<std::string>;

  Result<std::optional<std::string>> answerBefore(const std::string& name, const std::string& job);
  Result<std::string> make(ContainerRecord record, ContainerSpec spec, const ResolvedImage& image,
                           const CreateOptions& options, const std::vector<std::string>& warnings,
                           Made& made);
  Result<std::vector<MountPoint>> resolveMounts(const ContainerSpec& spec,
                                                const ResolvedImage& image, Made& made);
  Result<MountPoint> resolveMount(const model::MountPoint& from, const ResolvedImage& image,
                                  Made& made);
  Result<void> makeVolume(const model::MountPoint& from, const ResolvedImage& image,
                          MountPoint& mount, Made& made);
  Result<std::string> store(ContainerRecord record, const CreateOptions& options,
                            const std::vector<std::string>& warnings);

  LifecycleParts& parts_;
};

/// The image's configuration under the request's, as Docker merges them: environment by name,
/// labels by key, command only with its entrypoint, ports and volumes united.
void mergeImageConfig(model::ContainerConfig& config, const ImageConfig& image);

}  // namespace flotilla::engine
