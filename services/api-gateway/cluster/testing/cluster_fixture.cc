#include "api-gateway/cluster/testing/cluster_fixture.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include "api-gateway/cluster/queue_engine.h"
#include "common/os/random.h"

namespace flotilla::gateway {
namespace {

constexpr std::chrono::seconds kPatience{10};

std::string makeFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "flo-cluster-XXXXXX").string();
  return ::mkdtemp(name.data());
}

}  // namespace

/// Lists what the test says.
class ClusterFixture::ListedDiscovery final : public Discovery {
 public:
  std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) override {
    changed_ = std::move(changed);
    changed_(entries_);
    return std::make_unique<Watch>();
  }
  Result<void> announce(const std::string&, std::chrono::seconds) override { return {}; }
  void set(DiscoveryEntries entries) {
    entries_ = std::move(entries);
    if (changed_) {
      changed_(entries_);
    }
  }

 private:
  DiscoveryEntries entries_;
  std::function<void(Result<DiscoveryEntries>)> changed_;
};

ClusterFixture::ClusterFixture()
    : folder_(makeFolder()),
      reactor_(*Reactor::create()),
      queue_(std::make_unique<MemoryQueue>(*reactor_)),
      engine_streams_(*StreamServer::listenUnix(*reactor_, folder_ + "/engines.sock")),
      streams_(*StreamServer::listenUnix(*reactor_, folder_ + "/gateway.sock")),
      directory_(std::make_unique<MemoryDirectory>(*reactor_)),
      discovery_(std::make_unique<ListedDiscovery>()) {
  using std::chrono::milliseconds;
  options_.membership.pulse = milliseconds(30);
  options_.membership.deadline = milliseconds(200);
  options_.membership.confirm = milliseconds(10);
  options_.membership.validate_retry = milliseconds(100);
  options_.times.answer = milliseconds(1000);
  options_.times.doubted = milliseconds(100);
  options_.times.change = milliseconds(1000);
  options_.times.settle = milliseconds(5);
}

ClusterFixture::~ClusterFixture() {
  if (loop_.joinable()) {
    end();
    for (const auto& [name, engine] : engines_) {
      engine->die();
    }
    onLoop([] {});
    reactor_->stop();
    loop_.join();
  }
  cluster_.reset();
  engine_streams_.reset();
  streams_.reset();
  queue_.reset();
  engines_.clear();
  std::filesystem::remove_all(folder_);
}

FakeEngine& ClusterFixture::engine(const std::string& name, const std::string& id) {
  const std::string engine_id = id.empty() ? "id-" + name : id;
  auto& made = engines_[name];
  made = std::make_unique<FakeEngine>(*reactor_, *queue_, *engine_streams_, engine_id, name);
  made->addImage("busybox", "sha256:busybox");
  directory_->announce(name + ":1", {engine_id, name, ""});
  return *made;
}

void ClusterFixture::list(const std::vector<std::string>& names) {
  DiscoveryEntries entries;
  for (const std::string& name : names) {
    entries.push_back(name + ":1");
  }
  if (loop_.joinable()) {
    onLoop([&] { discovery_->set(entries); });
  } else {
    discovery_->set(entries);
  }
}

void ClusterFixture::start() {
  startUnchecked();
  for (const auto& [name, made] : engines_) {
    EXPECT_TRUE(becomes(name, "Healthy")) << name;
  }
}

void ClusterFixture::startUnchecked() {
  std::vector<std::string> names;
  for (const auto& [name, made] : engines_) {
    names.push_back(name);
  }
  list(names);
  auto cluster = SwarmCluster::create(
      options_, *reactor_,
      [this](const std::string& id) { return std::make_shared<QueueEngine>(*queue_, id); },
      *discovery_, *directory_, *streams_);
  ASSERT_TRUE(cluster.has_value());
  cluster_ = *std::move(cluster);
  loop_ = std::thread([this] { reactor_->run(); });
  onLoop([this] { cluster_->start([this] { ready_ = true; }); });
  EXPECT_TRUE(eventually([this] { return ready_.load(); }));
}

void ClusterFixture::end() {
  onLoop([this] { cluster_.reset(); });
}

std::shared_ptr<ClusterFixture::Outcome> ClusterFixture::submit(Job job) {
  auto outcome = std::make_shared<Outcome>();
  outcome->job_id = job.id = randomHex(16);
  cluster_->submit(std::move(job), {.on_established =
                                        [outcome](const Established& message) {
                                          outcome->stream = message.stream;
                                          outcome->env = message.env;
                                          outcome->established = true;
                                        },
                                    .on_result =
                                        [outcome](JobResult result) {
                                          outcome->promise.set_value(std::move(result));
                                        }});
  return outcome;
}

JobResult ClusterFixture::call(Job job) {
  const auto outcome = submit(std::move(job));
  if (outcome->future.wait_for(kPatience) != std::future_status::ready) {
    return Error{ErrorKind::Internal, "no result within 10 s"};
  }
  return outcome->future.get();
}

JobResult ClusterFixture::call(const std::string& name, std::vector<std::string> args,
                               std::map<std::string, std::string> env, std::string body) {
  Job job;
  job.name = name;
  job.args = std::move(args);
  job.body = std::move(body);
  for (auto& [key, value] : env) {
    job.env.set(key, value);
  }
  return call(std::move(job));
}

json::Json ClusterFixture::document(const JobResult& result) {
  EXPECT_TRUE(result.has_value()) << message(result);
  auto parsed = result ? json::parse(result->body) : Result<json::Json>(json::Json());
  return parsed ? *parsed : json::Json();
}

std::string ClusterFixture::create(const std::string& name, const std::string& body) {
  const std::string id = std::string(60, 'a') + std::to_string(1000 + serial_++);
  std::map<std::string, std::string> env = {{"id", id}};
  if (!name.empty()) {
    env["name"] = name;
  }
  const auto result = call("container_create", {}, env, body);
  return result ? id : "";
}

std::string ClusterFixture::message(const JobResult& result) {
  return result ? "succeeded: " + result->body : result.error().message();
}

std::map<std::string, std::string> ClusterFixture::infoOf(const std::string& name) {
  std::map<std::string, std::string> rows;
  const auto info = document(call("info"));
  bool inside = false;
  for (const auto& row : info.value("SystemStatus", json::Json::array())) {
    const std::string key = row.at(0);
    const std::string value = row.at(1);
    if (!key.starts_with("  ")) {
      inside = key == " " + name || (key.starts_with(" ") && value == name + ":1");
    } else if (inside) {
      rows[key.substr(std::string_view("  └ ").size())] = value;
    }
  }
  return rows;
}

bool ClusterFixture::becomes(const std::string& name, const std::string& status) {
  return eventually([&] { return infoOf(name)["Status"] == status; });
}

void ClusterFixture::onLoop(std::function<void()> fn) {
  std::promise<void> ran;
  reactor_->post([&] {
    fn();
    ran.set_value();
  });
  ASSERT_EQ(ran.get_future().wait_for(kPatience), std::future_status::ready);
}

bool ClusterFixture::eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace flotilla::gateway
