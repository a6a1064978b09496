#include "engine/store/bell.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace flotilla::engine {

Result<std::unique_ptr<Bell>> Bell::hang(Reactor& reactor, const std::string& path,
                                         std::function<void()> on_rung) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) {
    return sysError("open " + path, errno);
  }
  UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || ::inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0) {
    return sysError("watch " + path, errno);
  }
  std::unique_ptr<Bell> bell(
      new Bell(reactor, std::move(file), std::move(watch), std::move(on_rung)));
  FLO_TRY(reactor.watch(bell->watch_.get(), EPOLLIN,
                        [raw = bell.get()](std::uint32_t) { raw->heard(); }));
  return bell;
}

Bell::~Bell() { reactor_.unwatch(watch_.get()); }

void Bell::ring() const {
  constexpr char kAny = '.';
  // A full disk has room for a byte that is there already; nobody could do anything else about it.
  [[maybe_unused]] const ssize_t written = ::pwrite(file_.get(), &kAny, 1, 0);
}

void Bell::heard() {
  std::array<char, 4096> events;  // NOLINT: filled by read
  while (::read(watch_.get(), events.data(), events.size()) > 0) {
  }
  on_rung_();
}

}  // namespace flotilla::engine
