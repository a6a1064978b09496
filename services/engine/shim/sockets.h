#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/shim/event_loop.h"

namespace flotilla::engine::shim {

/// A unix socket of `type` listening at `name` in the working directory (0600). Replaces a stale
/// one. Errors: Internal.
Result<UniqueFd> listenAt(const std::string& name, int type);

/// ctl.sock: requests in, answers and journal events out.
class ControlServer {
 public:
  using Answer = std::function<void(const nlohmann::json&)>;
  /// Called for each well-formed request; may destroy the server. `answer` may be called later,
  /// once; a connection that is gone by then drops it.
  using Handler = std::function<void(const nlohmann::json& request, Answer answer)>;

  static Result<std::unique_ptr<ControlServer>> listen(EventLoop& loop, Handler handler);
  ControlServer(EventLoop& loop, UniqueFd listener, Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Tells subscribers about journal line `seq`.
  void publish(std::uint64_t seq);
  void subscribe() { subscribing_ = true; }

  static constexpr std::size_t kMaxConnections = 128;

 private:
  struct Connection {
    UniqueFd fd;
    EventLoop::Id watch = 0;
    bool subscribed = false;
  };

  void accept();
  void readable(std::uint64_t id);
  void send(std::uint64_t id, const nlohmann::json& packet);
  void drop(std::uint64_t id);

  EventLoop& loop_;
  UniqueFd listener_;
  EventLoop::Id watch_ = 0;
  Handler handler_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_ = 1;
  bool subscribing_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

nlohmann::json errorAnswer(const Error& error, int code = 0);

/// io.sock: clients present a ticket and become streams.
class StreamDoor {
 public:
  static constexpr std::chrono::milliseconds kValid{10000};
  /// The connected socket, or an invalid one when nobody came in time.
  using Accepted = std::function<void(UniqueFd)>;

  static Result<std::unique_ptr<StreamDoor>> listen(EventLoop& loop);
  StreamDoor(EventLoop& loop, UniqueFd listener);
  ~StreamDoor();
  StreamDoor(const StreamDoor&) = delete;
  StreamDoor& operator=(const StreamDoor&) = delete;

  /// Errors: InvalidArgument for a ticket that is no ticket; Unavailable when too many wait.
  Result<void> expect(const std::string& ticket, Accepted accepted);
  [[nodiscard]] std::size_t waiting() const { return expected_.size(); }

 private:
  struct Expected {
    Accepted accepted;
    EventLoop::Id timer;
  };
  struct Visitor {
    UniqueFd fd;
    EventLoop::Id watch;
    EventLoop::Id timer;
    std::string line;
  };

  void accept();
  void readable(std::uint64_t id);
  void drop(std::uint64_t id);
  void present(UniqueFd fd, const std::string& ticket);

  EventLoop& loop_;
  UniqueFd listener_;
  EventLoop::Id watch_ = 0;
  std::map<std::string, Expected> expected_;
  std::map<std::uint64_t, Visitor> visitors_;
  std::uint64_t next_ = 1;
};

/// Receives a pty's master from the runtime (--console-socket).
class ConsoleSocket {
 public:
  static Result<std::unique_ptr<ConsoleSocket>> listen(const std::string& name);
  ConsoleSocket(UniqueFd listener, std::string name);
  ~ConsoleSocket();
  ConsoleSocket(const ConsoleSocket&) = delete;
  ConsoleSocket& operator=(const ConsoleSocket&) = delete;

  /// For the runtime's command line; valid in every directory of this mount namespace.
  [[nodiscard]] std::string path() const;
  /// The master the runtime sent; call once the runtime has ended. Invalid when it sent none.
  UniqueFd take();

 private:
  UniqueFd listener_;
  std::string name_;
};

}  // namespace flotilla::engine::shim
