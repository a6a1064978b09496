#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/os/unique_fd.h"
#include "engine/network/network_manager.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// Runs `work` on a thread of its own inside the network namespace; sockets it returns stay there.
void inNamespace(int netns, const std::function<void()>& work);

/// A TCP server that answers every connection with a fixed text and the client's address.
class EchoServer {
 public:
  EchoServer(int netns, const std::string& address, int port, std::string text);
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Connects from the namespace and reads to the end: "<text> <client address>", or "error: ...".
std::string fetch(int netns, const std::string& address, int port,
                  std::chrono::milliseconds timeout = std::chrono::milliseconds(2000));

/// Runs a program (iproute2, nft) in the namespace; its standard output, "" when it fails.
std::string runIn(int netns, const std::string& command);

/// A fresh "host" network namespace per test, the thread of the test in it, with a second host on
/// the same link: the host is 192.0.2.2/24, the other 192.0.2.1/24. The machine's own network is
/// never touched.
class NetworkWorld : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<NetworkManager> makeManager(NetworkOptions options = {});
  Attachment attach(NetworkManager& manager, const std::string& id,
                    std::vector<PortRequest> ports = {});
  [[nodiscard]] int host() const { return host_.get(); }
  [[nodiscard]] int outside() const { return outside_.get(); }
  Database& database() { return *database_; }

 private:
  std::string directory_;
  UniqueFd machine_, host_, outside_;
  std::unique_ptr<Database> database_;
};

}  // namespace flotilla::engine
