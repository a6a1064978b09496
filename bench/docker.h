#pragma once

#include <string>
#include <string_view>

#include "cli/client/http_stream.h"
#include "common/error/result.h"

namespace flotilla::bench {

/// How a measured container is made; what is not given is the daemon's default.
struct ContainerSpec {
  std::string image;
  std::string command;  ///< for /bin/sh -c; empty runs /bin/true
  std::string network = "bridge";
  bool open_stdin = false;
};

/// The few calls of the Docker Engine API that the measurements are made of, over one kept-alive
/// connection. Any answer but the expected one is an Error naming call and answer. One thread.
class Docker {
 public:
  static Result<Docker> connect(const cli::Endpoint& endpoint);

  Result<std::string> create(const ContainerSpec& spec);
  Result<void> start(const std::string& id);
  /// Waits for the exit and demands exit code 0.
  Result<void> wait(const std::string& id);
  Result<void> remove(const std::string& id, bool force = false);
  /// create, start, wait, remove.
  Result<void> run(const ContainerSpec& spec);
  /// create and start.
  Result<std::string> launch(const ContainerSpec& spec);

  /// By force, and no matter whether it is there.
  Result<void> removeImage(const std::string& name);

  /// Body of a GET that must answer 200.
  Result<std::string> get(const std::string& target);
  /// GET whose body is only counted.
  Result<unsigned long long> getLength(const std::string& target);
  Result<std::string> post(const std::string& target, const std::string& body, int expected);

  /// Takes the connection over for an attach or exec start; this object is used up.
  Result<cli::HttpStream> hijack(const std::string& target, const std::string& body) &&;
  /// Sends a request whose answer does not end, and reads only its header (followed logs).
  Result<cli::HttpStream> openStream(const std::string& target) &&;

  /// Pid of the container's first process.
  Result<int> initPid(const std::string& id);

 private:
  explicit Docker(cli::HttpStream stream) : stream_(std::move(stream)) {}
  Result<std::string> call(const cli::HttpRequest& request, int expected, int also_expected = 0);

  cli::HttpStream stream_;
};

}  // namespace flotilla::bench
