#include "engine/lifecycle/creator.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "common/json/json.h"
#include "common/model/mount_spec.h"
#include "common/model/namespace_mode.h"
#include "common/model/random_name.h"
#include "common/os/host_name.h"
#include "common/os/random.h"
#include "engine/lifecycle/container_events.h"
#include "engine/lifecycle/container_files.h"
#include "engine/lifecycle/image_content.h"
#include "engine/lifecycle/names.h"
#include "engine/lifecycle/volumes_from.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kShortId = 12;
constexpr int kNameAttempts = 20;

std::string answerJson(const std::string& id, const std::vector<std::string>& warnings) {
  return json::dump({{"Id", id}, {"Warnings", warnings}});
}

/// Program and arguments from entrypoint and command. Errors: InvalidArgument "no command
/// specified".
Result<void> setCommandLine(ContainerSpec& spec) {
  std::vector<std::string> line;
  if (spec.config.entrypoint) {
    line = *spec.config.entrypoint;
  }
  if (spec.config.cmd) {
    line.insert(line.end(), spec.config.cmd->begin(), spec.config.cmd->end());
  }
  if (line.empty()) {
    return Error{ErrorKind::InvalidArgument, "no command specified"};
  }
  spec.path = line.front();
  spec.args.assign(line.begin() + 1, line.end());
  return {};
}

}  // namespace

Result<std::string> Creator::create(model::CreateRequest request, const CreateOptions& options) {
  parts_.runtime.expectStart();  // what creates a container mostly starts it then
  std::string name = options.name;
  if (!name.empty()) {
    FLO_TRY_ASSIGN(name, checkContainerName(name));
  }
  FLO_TRY_ASSIGN(auto warnings, model::validateCreate(request, parts_.facts.host, options.version));
  FLO_TRY(checkOtherContainers(request.host));
  FLO_TRY_ASSIGN(const auto image, parts_.images.resolve(request.config.image));
  ContainerRecord record;
  record.id = options.id.empty() ? randomHex(32) : options.id;
  record.name = name;
  record.created_ns = parts_.clock();
  model::applyDefaults(request, parts_.facts.host, parts_.facts.runtime_name);
  FLO_TRY_ASSIGN(auto spec, makeSpec(std::move(request), image, record.id));
  FLO_TRY_ASSIGN(auto answered, answerBefore(name, options.job));
  if (answered) {
    return *std::move(answered);
  }
  Made made;
  auto stored = make(record, std::move(spec), image, options, warnings, made);
  if (!stored) {
    for (const std::string& volume : made) {
      // Its own log says what failed; one that is in use after all stays.
      static_cast<void>(parts_.volumes.remove(volume).has_value());
    }
  }
  return stored;
}

/// Before anything is made: the answer of a job that came twice. Errors: Conflict when the name is
/// taken.
Result<std::optional<std::string>> Creator::answerBefore(const std::string& name,
                                                         const std::string& job) {
  std::optional<std::string> answer;
  FLO_TRY(parts_.database.read([&](Transaction& transaction) -> Result<void> {
    if (!job.empty()) {
      FLO_TRY_ASSIGN(const auto done, parts_.ledger.find(transaction, job));
      if (done) {
        FLO_TRY_ASSIGN(const JobOutput output, *done);
        answer = output.body;
        return {};
      }
    }
    FLO_TRY_ASSIGN(const auto owner, ownerOfName(transaction, name));
    return owner ? Result<void>{nameConflict(name, *owner)} : Result<void>{};
  }));
  return answer;
}

Result<std::string> Creator::make(ContainerRecord record, ContainerSpec spec,
                                  const ResolvedImage& image, const CreateOptions& options,
                                  const std::vector<std::string>& warnings, Made& made) {
  FLO_TRY_ASSIGN(spec.mounts, resolveMounts(spec, image, made));
  FLO_TRY(makeContainerFolders(parts_.paths, record.id));
  record.spec = std::make_shared<const ContainerSpec>(std::move(spec));
  auto stored = store(record, options, warnings);
  if (!stored && stored.error().kind() != ErrorKind::Internal) {
    std::error_code ignored;
    std::filesystem::remove_all(parts_.paths.container(record.id), ignored);
  }
  return stored;
}

/// dockerd looks for these at create; for a network's container at start only.
Result<void> Creator::checkOtherContainers(const model::HostConfig& host) {
  for (const std::string& mode : {host.pid_mode, host.ipc_mode}) {
    const auto parsed = model::NamespaceMode::parse(mode);
    if (!parsed.isContainer()) {
      continue;
    }
    if (const auto other = parts_.catalog.get(parsed.name); !other) {
      // Not NotFound: a client takes that for a missing image, and pulls it.
      return Error{ErrorKind::InvalidArgument, other.error().message()};
    }
  }
  return {};
}

Result<ContainerSpec> Creator::makeSpec(model::CreateRequest request, const ResolvedImage& image,
                                        const std::string& id) {
  ContainerSpec spec;
  spec.image = request.config.image;
  spec.image_id = image.id;
  spec.chain_ids = image.chain_ids;
  spec.config = std::move(request.config);
  spec.host = std::move(request.host);
  spec.endpoints = std::move(request.endpoints);
  mergeImageConfig(spec.config, image.config);
  FLO_TRY(setCommandLine(spec));
  if (spec.config.hostname.empty()) {
    spec.config.hostname = spec.host.network_mode == "host" ? hostName() : id.substr(0, kShortId);
  }
  return spec;
}

/// What VolumesFrom names comes first, then what is asked for at the same places.
Result<std::vector<MountPoint>> Creator::resolveMounts(const ContainerSpec& spec,
                                                       const ResolvedImage& image, Made& made) {
  FLO_TRY_ASSIGN(const auto wanted, model::collectMounts(spec.config, spec.host));
  FLO_TRY_ASSIGN(auto mounts, inheritedMounts(parts_.catalog, spec.host.volumes_from));
  for (const model::MountPoint& from : wanted) {
    const auto inherited = std::find_if(mounts.begin(), mounts.end(), [&](const MountPoint& mount) {
      return mount.destination == from.target;
    });
    if (inherited != mounts.end()) {
      if (from.yields) {
        continue;
      }
      mounts.erase(inherited);
    }
    FLO_TRY_ASSIGN(auto mount, resolveMount(from, image, made));
    mounts.push_back(std::move(mount));
  }
  // A mount below another's place comes after it.
  std::stable_sort(mounts.begin(), mounts.end(), [](const MountPoint& a, const MountPoint& b) {
    return std::count(a.destination.begin(), a.destination.end(), '/') <
           std::count(b.destination.begin(), b.destination.end(), '/');
  });
  return mounts;
}

Result<MountPoint> Creator::resolveMount(const model::MountPoint& from, const ResolvedImage& image,
                                         Made& made) {
  MountPoint mount;
  mount.destination = from.target;
  mount.writable = !from.read_only;
  mount.mode = from.mode;
  mount.propagation = from.propagation;
  switch (from.kind) {
    case model::MountPoint::Kind::Tmpfs:
      mount.type = "tmpfs";
      mount.options = from.tmpfs_options;
      break;
    case model::MountPoint::Kind::Bind: {
      mount.type = "bind";
      mount.source = from.source;
      mount.make_source = from.create_source;
      mount.propagation = from.propagation.empty() ? "rprivate" : from.propagation;
      struct stat status {};
      if (!from.create_source && ::stat(from.source.c_str(), &status) != 0 && errno == ENOENT) {
        return Error{ErrorKind::InvalidArgument,
                     "invalid mount config for type \"bind\": bind source path does not exist: " +
                         from.source};
      }
      break;
    }
    case model::MountPoint::Kind::Volume:
      FLO_TRY(makeVolume(from, image, mount, made));
      break;
  }
  return mount;
}

Result<void> Creator::makeVolume(const model::MountPoint& from, const ResolvedImage& image,
                                 MountPoint& mount, Made& made) {
  FLO_TRY_ASSIGN(const auto volume, parts_.volumes.create({from.source, "", from.labels, {}}));
  mount.type = "volume";
  mount.name = volume.name;
  mount.source = volume.mountpoint;
  mount.driver = volume.driver;
  mount.anonymous = from.source.empty();
  if (mount.anonymous) {
    made.push_back(volume.name);
  }
  mount.copy_up = from.copy;
  if (!mount.anonymous && mount.mode.empty()) {
    mount.mode = "z";
  }
  if (!from.copy) {
    return {};
  }
  return copyImageContent(parts_.images, image.chain_ids, mount.destination,
                          [&](int source) { return parts_.volumes.copyUp(volume.name, source); });
}

Result<std::string> Creator::store(ContainerRecord record, const CreateOptions& options,
                                   const std::vector<std::string>& warnings) {
  std::string answer = answerJson(record.id, warnings);
  const bool random_name = record.name.empty();
  for (int attempt = 0;; ++attempt) {
    if (random_name) {
      record.name = model::randomName(attempt);
    }
    auto stored =
        parts_.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
          FLO_TRY_ASSIGN(const auto taken, parts_.ledger.take(transaction, options.job));
          if (taken.result) {
            answer = taken.result->body;
            return {};
          }
          if (parts_.require_image) {
            FLO_TRY(parts_.require_image(transaction, record.spec->image_id));
          }
          FLO_TRY(insertContainer(transaction, record));
          FLO_TRY(parts_.events.append(transaction, containerEvent(record, "create")));
          return parts_.ledger.finish(transaction, options.job, taken.epoch, {answer, {}});
        });
    if (stored) {
      parts_.catalog.inserted(std::move(record));
      return answer;
    }
    const bool taken = stored.error().kind() == ErrorKind::Conflict;
    if (!random_name || !taken || attempt >= kNameAttempts) {
      return std::move(stored).error();
    }
  }
}

}  // namespace flotilla::engine
