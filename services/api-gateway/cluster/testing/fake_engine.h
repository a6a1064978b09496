#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/json/json.h"
#include "common/queue/memory_queue.h"
#include "common/stream/stream_server.h"

namespace flotilla::gateway {

/// An engine without containers' processes: does the jobs of a cluster's gateway on records in
/// memory, and tells of them by events. Can stop answering. Thread-safe.
class FakeEngine {
 public:
  struct Container {
    std::string id, name, image, state = "created", created = "2026-01-01T00:00:00.5Z";
    std::int64_t memory = 0;
    std::map<std::string, std::string> labels = {};
  };

  FakeEngine(Reactor& reactor, MemoryQueue& queue, StreamServer& streams, std::string id,
             std::string name);
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  // What it says of itself; set before it is asked.
  std::int64_t cpus = 2, memory = std::int64_t{1} << 30U;
  std::vector<std::string> labels = {};

  /// Takes jobs and never answers them.
  void hang() { hanging_ = true; }
  /// Answers what it has kept so, and all that comes. On the reactor's thread.
  void answerKept();
  /// How many jobs of that name it has kept so whose clients still wait.
  [[nodiscard]] std::size_t keptUncancelled(const std::string& job);
  /// Takes no jobs any more; those taken stay unanswered.
  void die();
  /// As after a restart: answers again.
  void revive();
  /// Breaks the streams of events.
  void dropStreams();

  /// As done by someone else than the gateway.
  void put(Container container);
  void remove(const std::string& id);
  void addImage(const std::string& name, const std::string& id);

  [[nodiscard]] std::vector<std::string> names();
  [[nodiscard]] bool has(const std::string& name);
  /// Names of the jobs it has taken, but for reports and events.
  [[nodiscard]] std::vector<std::string> jobs();
  [[nodiscard]] const std::string& id() const { return id_; }
  /// Filters of the last list of containers or images.
  [[nodiscard]] std::string filters();
  /// Bytes of the archive that the last image_load brought.
  [[nodiscard]] std::string loaded();
  /// What image_load comes to when it has said that; set before it is asked.
  JobResult load_result = JobOutput{};
  bool lose_load_result = false;  // it never comes
  /// Says what is wrong with a job `events`, nothing when it is to be done. Set before the cluster
  /// starts; called on the thread that delivers jobs.
  std::function<std::optional<Error>(const Job&)> refuse_events = {};
  /// Text that image_load answers with.
  std::string load_answer = "{\"stream\":\"Loaded image: busybox:latest\\n\"}\n";

 private:
  void serve();
  void take(const JobContextPtr& context);
  JobResult answer(const Job& job);
  JobResult report(const Job& job);
  JobResult create(const Job& job);
  JobResult list(const Job& job);
  JobResult change(const Job& job);
  JobResult images(const Job& job);
  JobResult named(const Job& job);
  void events(const JobContextPtr& context);
  void load(const JobContextPtr& context);
  void follow(const Job& job, const net::StreamPtr& stream);
  void emit(const std::string& action, const Container& container, const std::string& exec = "");
  Container* find(const std::string& reference);
  [[nodiscard]] json::Json summary(const Container& container) const;

  Reactor& reactor_;
  MemoryQueue& queue_;
  StreamServer& streams_;
  const std::string id_, name_;
  std::unique_ptr<JobQueue::Subscription> subscription_;
  std::atomic<bool> hanging_ = false;
  std::recursive_mutex mutex_;  // guards everything below
  std::vector<JobContextPtr> kept_;
  std::vector<net::StreamPtr> followers_;  // used on the reactor's thread only
  std::map<std::string, Container> containers_;
  std::map<std::string, std::string> execs_;   // exec -> container
  std::map<std::string, std::string> images_;  // name -> id
  std::set<std::string> volumes_;
  std::vector<std::string> jobs_;
  std::string filters_;
  std::string loaded_;
  std::vector<std::pair<std::int64_t, std::string>> told_;  // events with their time
  std::int64_t clock_ = 1000;
};

}  // namespace flotilla::gateway
