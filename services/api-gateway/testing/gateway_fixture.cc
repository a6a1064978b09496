#include "api-gateway/testing/gateway_fixture.h"

#include <unistd.h>

#include <filesystem>
#include <future>
#include <utility>

namespace flotilla::gateway {
namespace {

constexpr const char* kEngine = "engine-1";
constexpr std::chrono::seconds kPatience{10};

std::string makeFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "flo-gateway-XXXXXX").string();
  return ::mkdtemp(name.data());
}

}  // namespace

GatewayFixture::GatewayFixture()
    : folder_(makeFolder()),
      reactor_(*Reactor::create()),
      queue_(std::make_unique<MemoryQueue>(*reactor_)),
      cluster_(std::make_unique<QueueEngine>(*queue_, kEngine)),
      streams_(*StreamServer::listenUnix(*reactor_, folder_ + "/streams.sock")) {
  options_.hosts = {"unix://" + socketPath()};
  engine_.handleOthers(Lane::Query,
                       [](const JobContextPtr& context) { context->complete(JobOutput{}); });
}

GatewayFixture::~GatewayFixture() {
  if (loop_.joinable()) {
    std::promise<void> stopped;
    reactor_->post([&] { gateway_->stop([&] { stopped.set_value(); }); });
    EXPECT_EQ(stopped.get_future().wait_for(kPatience * 2), std::future_status::ready);
    subscription_.reset();
    reactor_->stop();
    loop_.join();
  }
  gateway_.reset();
  streams_.reset();
  queue_.reset();
  std::filesystem::remove_all(folder_);
}

void GatewayFixture::handle(std::string name, JobEngine::Handler handler) {
  engine_.handle(std::move(name), Lane::Work, std::move(handler));
}

void GatewayFixture::answer(std::string name, std::string body) {
  handle(std::move(name), [body = std::move(body)](const JobContextPtr& context) {
    context->complete(JobOutput{.body = body});
  });
}

void GatewayFixture::fail(std::string name, Error error) {
  handle(std::move(name),
         [error = std::move(error)](const JobContextPtr& context) { context->complete(error); });
}

void GatewayFixture::record(const Job& job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(job);
}

Job GatewayFixture::lastJob() {
  const std::lock_guard lock(mutex_);
  EXPECT_FALSE(jobs_.empty()) << "no job came";
  return jobs_.empty() ? Job{} : jobs_.back();
}

void GatewayFixture::start(Gate gate) {
  auto subscription = queue_->serve({.engine_id = kEngine}, [this](JobContextPtr context) {
    record(context->job());
    engine_.run(std::move(context));
  });
  ASSERT_TRUE(subscription.has_value());
  subscription_ = *std::move(subscription);
  auto gateway = GatewayService::create(options_, *reactor_, *cluster_, metrics_);
  ASSERT_TRUE(gateway.has_value()) << gateway.error().message();
  gateway_ = *std::move(gateway);
  const auto listening = gateway_->listen([](const Error& error) { FAIL() << error.message(); });
  ASSERT_TRUE(listening.has_value()) << listening.error().message();
  loop_ = std::thread([this] { reactor_->run(); });
  if (gate == Gate::Open) {
    onLoop([this] { gateway_->open(); });
  }
}

void GatewayFixture::onLoop(std::function<void()> fn) {
  std::promise<void> done;
  reactor_->post([&] {
    fn();
    done.set_value();
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
}

RawClient::Answer GatewayFixture::call(std::string_view method, std::string_view target,
                                       std::string_view body, std::string_view headers) const {
  return connect().call(method, target, body, headers);
}

bool GatewayFixture::eventually(const std::function<bool()>& condition) {
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
