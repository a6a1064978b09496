#include "common/process/systemd.h"

#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace flotilla::process {
namespace {

struct NamesDeleter {
  void operator()(char** names) const {
    for (char** name = names; name != nullptr && *name != nullptr; ++name) {
      std::free(*name);
    }
    std::free(names);
  }
};

}  // namespace

ActivatedSockets ActivatedSockets::fromServiceManager() {
  char** raw_names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &raw_names);
  const std::unique_ptr<char*, NamesDeleter> names(raw_names);
  ActivatedSockets activated;
  for (int i = 0; i < count; ++i) {
    const int fd = SD_LISTEN_FDS_START + i;
    std::string name = names ? names.get()[i] : "unknown";
    activated.sockets_.push_back(
        {UniqueFd(fd), name == "unknown" ? std::to_string(fd) : std::move(name)});
  }
  return activated;
}

std::vector<ActivatedSocket> ActivatedSockets::take(std::string_view name) {
  std::vector<ActivatedSocket> taken;
  std::vector<ActivatedSocket> left;
  for (auto& socket : sockets_) {
    const bool wanted =
        name.empty() || name == socket.name || name == std::to_string(socket.fd.get());
    (wanted ? taken : left).push_back(std::move(socket));
  }
  sockets_ = std::move(left);
  return taken;
}

void notifyServiceManager(const std::string& state) { (void)::sd_notify(0, state.c_str()); }

}  // namespace flotilla::process
