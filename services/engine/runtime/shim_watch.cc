#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "engine/runtime/shim_client.h"
#include "engine/runtime/shim_connection.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

class Watch final : public ShimWatch {
 public:
  Watch(Reactor& reactor, UniqueFd fd, std::function<void(std::uint64_t)> on_journal,
        std::function<void()> on_gone)
      : reactor_(reactor),
        fd_(std::move(fd)),
        on_journal_(std::move(on_journal)),
        on_gone_(std::move(on_gone)) {}
  ~Watch() override { unwatch(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Result<void> start() {
    FLO_TRY(sendRequest({{"op", "subscribe"}}));
    FLO_TRY(reactor_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { readable(); }));
    watched_ = true;
    return {};
  }

  void consumed(std::uint64_t seq) override {
    // A shim that is going away needs no telling; on_gone reports that.
    (void)sendRequest({{"op", "consumed"}, {"seq", seq}}).has_value();
  }

 private:
  Result<void> sendRequest(const json& request) {
    const std::string packet = request.dump();
    if (::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      return Error{ErrorKind::Unavailable, "the container's shim is not running", errno};
    }
    return {};
  }

  void unwatch() {
    if (std::exchange(watched_, false)) {
      reactor_.unwatch(fd_.get());
    }
  }

  void readable() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (got <= 0) {
      unwatch();
      const auto gone = std::exchange(on_gone_, nullptr);
      gone();  // may destroy this
      return;
    }
    const json packet = json::parse(buffer.begin(), buffer.begin() + got, nullptr, false);
    // The answer to subscribe carries "seq" too: lines written before count as news.
    if (packet.is_object() && packet.contains("seq") && packet["seq"].is_number_unsigned()) {
      on_journal_(packet["seq"].get<std::uint64_t>());  // may destroy this
    }
  }

  Reactor& reactor_;
  UniqueFd fd_;
  std::function<void(std::uint64_t)> on_journal_;
  std::function<void()> on_gone_;
  bool watched_ = false;
};

}  // namespace

Result<std::unique_ptr<ShimWatch>> ShimWatch::open(Reactor& reactor, const std::string& run_dir,
                                                   std::function<void(std::uint64_t)> on_journal,
                                                   std::function<void()> on_gone) {
  FLO_TRY_ASSIGN(UniqueFd fd, connectShim(run_dir));
  auto watch =
      std::make_unique<Watch>(reactor, std::move(fd), std::move(on_journal), std::move(on_gone));
  FLO_TRY(watch->start());
  return std::unique_ptr<ShimWatch>(std::move(watch));
}

}  // namespace flotilla::engine
