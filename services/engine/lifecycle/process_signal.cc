#include "engine/lifecycle/process_signal.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "common/os/atomic_file.h"

namespace flotilla::engine {

std::uint64_t processStartTime(int pid) {
  const auto stat = readFile("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) {
    return 0;
  }
  // The second field is the name in parentheses and may hold anything; count from its end.
  std::size_t at = stat->rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) {
    at = stat->find(' ', at + 1);
  }
  if (at == std::string::npos) {
    return 0;
  }
  std::uint64_t start = 0;
  std::from_chars(stat->data() + at + 1, stat->data() + stat->size(), start);
  return start;
}

Result<void> signalProcess(const ProcessRef& process, int signal_number) {
  const Error gone{ErrorKind::NotFound, "no such process", ESRCH};
  if (process.pid <= 0) {
    return gone;
  }
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) {
    return errno == ESRCH ? Result<void>{gone} : Result<void>{sysError("pidfd_open", errno)};
  }
  if (process.start_time != 0 && processStartTime(process.pid) != process.start_time) {
    return gone;
  }
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0) != 0) {
    return errno == ESRCH ? Result<void>{gone} : Result<void>{sysError("pidfd_send_signal", errno)};
  }
  return {};
}

std::string bootId() {
  auto id = readFile("/proc/sys/kernel/random/boot_id", 256);
  if (!id) {
    return "";
  }
  while (!id->empty() && id->back() == '\n') {
    id->pop_back();
  }
  return *id;
}

}  // namespace flotilla::engine
