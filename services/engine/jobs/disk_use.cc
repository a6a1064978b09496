#include "engine/jobs/disk_use.h"

#include <filesystem>
#include <system_error>

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

std::int64_t treeSize(const std::string& path) {
  std::int64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator
           at(path, fs::directory_options::skip_permission_denied, failed),
       end;
       at != end; at.increment(failed)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && !at->is_symlink(ignored)) {
      bytes += static_cast<std::int64_t>(at->file_size(ignored));
    }
  }
  return bytes;
}

}  // namespace

DiskUse diskUse(const Paths& paths, ImageSource& images, const ContainerRecord& record) {
  DiskUse use;
  use.writable = treeSize(paths.container(record.id) + "/upper");
  use.root = use.writable;
  if (const auto size = images.diskSize(record.spec->chain_ids); size) {
    use.root += static_cast<std::int64_t>(*size);
  }
  return use;
}

}  // namespace flotilla::engine
