#include "engine/lifecycle/volumes_from.h"

#include <utility>

#include "common/model/mount_spec.h"

namespace flotilla::engine {

Result<std::vector<MountPoint>> inheritedMounts(ContainerCatalog& catalog,
                                                const std::vector<std::string>& volumes_from) {
  std::vector<MountPoint> inherited;
  for (const std::string& spec : volumes_from) {
    FLO_TRY_ASSIGN(const auto from, model::parseVolumesFrom(spec));
    auto found = catalog.get(from.container);
    if (!found) {
      const bool missing = found.error().kind() == ErrorKind::NotFound;
      return missing ? std::move(found).error().as(ErrorKind::InvalidArgument)
                     : std::move(found).error();
    }
    for (MountPoint mount : (*found)->spec->mounts) {
      if (mount.type == "tmpfs") {
        continue;
      }
      mount.writable = mount.writable && !from.read_only;
      mount.mode.clear();
      mount.copy_up = false;
      std::erase_if(inherited, [&](const MountPoint& other) {
        return other.destination == mount.destination;
      });
      inherited.push_back(std::move(mount));
    }
  }
  return inherited;
}

}  // namespace flotilla::engine
