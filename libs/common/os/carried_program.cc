#include "common/os/carried_program.h"

#include <unistd.h>

namespace flotilla {

std::vector<std::string> commandOf(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const std::string loader = folder + "ld.so";
  const std::string libraries = folder + "lib";
  // Debian has a /usr/bin/ld.so of its own, which is no reason to start everything by it.
  if (folder.empty() || ::access(loader.c_str(), X_OK) != 0 ||
      ::access(libraries.c_str(), X_OK) != 0) {
    return {path};
  }
  return {loader, "--library-path", libraries, path};
}

}  // namespace flotilla
