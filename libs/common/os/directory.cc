#include "common/os/directory.h"

#include <filesystem>
#include <system_error>

namespace flotilla {

Result<std::vector<std::string>> entryNames(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end;
       at.increment(failed)) {
    names.push_back(at->path().filename());
  }
  if (failed) {
    return sysError("read directory " + path, failed.value());
  }
  return names;
}

}  // namespace flotilla
