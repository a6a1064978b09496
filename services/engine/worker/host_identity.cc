#include "engine/worker/host_identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "common/os/atomic_file.h"
#include "engine/engine_service.h"
#include "engine/store/paths.h"

namespace flotilla::engine {
namespace {

std::string firstLine(const char* path) {
  const auto text = readFile(path, 4096);
  return text ? text->substr(0, text->find('\n')) : "none";
}

}  // namespace

Result<std::string> hostIdentity(const std::string& data_root) {
  struct stat status {};
  if (::stat(data_root.c_str(), &status) != 0) {
    return sysError("stat " + data_root, errno);
  }
  return "machine " + firstLine("/etc/machine-id") + " boot " +
         firstLine("/proc/sys/kernel/random/boot_id") + " folder " + std::to_string(status.st_dev) +
         ":" + std::to_string(status.st_ino);
}

Result<std::string> settleEngineId(const std::string& data_root, const std::string& wanted) {
  const std::string path = Paths(data_root, "").engineId();
  std::error_code missing;
  if (!wanted.empty() && !std::filesystem::exists(path, missing)) {
    const bool plain =
        wanted.size() <= 128 && std::all_of(wanted.begin(), wanted.end(), [](unsigned char c) {
          return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
        });
    if (!plain) {
      return Error{ErrorKind::InvalidArgument, "bad engine ID \"" + wanted + "\""};
    }
    FLO_TRY(writeFileAtomically(path, wanted + "\n", 0644));
  }
  FLO_TRY_ASSIGN(auto id, EngineService::engineId(data_root));
  if (!wanted.empty() && id != wanted) {
    return Error{ErrorKind::InvalidArgument,
                 "the state in " + data_root + " is of engine " + id + ", not of " + wanted};
  }
  return id;
}

}  // namespace flotilla::engine
