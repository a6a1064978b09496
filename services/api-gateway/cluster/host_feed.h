#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "api-gateway/cluster/container_index.h"
#include "api-gateway/cluster/engine_events.h"
#include "api-gateway/cluster/host_call.h"

namespace flotilla::gateway {

/// Keeps the index of one host's containers up to date from its events, for as long as the host is
/// healthy. A broken stream is opened again; what happened meanwhile is taken from a report. On the
/// reactor's thread.
class HostFeed : public std::enable_shared_from_this<HostFeed> {
 public:
  struct Options {
    StreamDial dial;
    std::chrono::milliseconds settle =
        std::chrono::seconds(1);  // changed rows are asked for together
    std::chrono::milliseconds answer = std::chrono::seconds(5);
    std::chrono::milliseconds longest_retry = std::chrono::seconds(10);
  };

  HostFeed(Reactor& reactor, ContainerIndex& index, HostPtr host, Options options)
      : reactor_(reactor), index_(index), host_(std::move(host)), options_(std::move(options)) {}

  void start() { open(); }
  void stop();

 private:
  void open();
  void opened();
  void ended();
  void take(std::string_view line);
  void changed(const std::string& id);
  void askForChanged();
  void report(std::vector<std::string> ids);

  Reactor& reactor_;
  ContainerIndex& index_;
  const HostPtr host_;
  const Options options_;
  std::shared_ptr<EngineEvents> events_;
  std::shared_ptr<HostCall> call_;
  std::set<std::string> changed_;
  Reactor::TimerId settle_timer_ = 0;
  Reactor::TimerId retry_timer_ = 0;
  int failures_ = 0;
  bool stopped_ = false;
};

}  // namespace flotilla::gateway
