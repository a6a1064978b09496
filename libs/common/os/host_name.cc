#include "common/os/host_name.h"

#include <unistd.h>

#include <array>

namespace flotilla {

std::string hostName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace flotilla
