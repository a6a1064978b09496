#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/os/random.h"
#include "common/queue/job_message.h"
#include "common/queue/redis_keys.h"
#include "common/queue/redis_queue.h"
#include "common/redis/testing/redis_server.h"

/// What happens to jobs when processes and Redis fail (decisions.md 5 and 6).
namespace flotilla {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool eventually(const std::function<bool()>& holds, seconds limit = seconds(15)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

/// A worker that keeps what it gets.
struct Worker {
  std::unique_ptr<RedisQueue> queue;
  std::unique_ptr<JobQueue::Subscription> subscription;
  std::mutex mutex;
  std::vector<JobContextPtr> held;

  std::size_t count() {
    const std::lock_guard lock(mutex);
    return held.size();
  }
  JobContextPtr at(std::size_t index) {
    const std::lock_guard lock(mutex);
    return held.at(index);
  }
};

class RedisQueueFailure : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::RedisServer::installed()) {
      GTEST_SKIP() << "redis-server is not installed";
    }
    server_ = testing::RedisServer::start().value();
    loop_ = std::thread([this] { reactor_->run(); });
    gateway_ = std::make_unique<RedisQueue>(*reactor_, options());
  }

  void TearDown() override {
    for (auto& worker : workers_) {
      end(*worker);
    }
    gateway_.reset();
    if (inspector_) {
      onLoop([this] { inspector_->close(); });
    }
    if (loop_.joinable()) {
      reactor_->stop();
      loop_.join();
    }
  }

  RedisQueueOptions options() {
    return {.target = RedisTarget::create(server_->url()).value(),
            .key = ClusterKey::fromBytes(secret_),
            .cluster = "c",
            .metrics = &metrics_,
            .patience = milliseconds(500),
            .workers_folder = server_->folder() + "/workers",
            .host_identity = "this host"};
  }

  Worker& serve(RedisQueueOptions chosen, std::size_t max_in_flight = 1024) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.queue = std::make_unique<RedisQueue>(*reactor_, std::move(chosen));
    worker.subscription = worker.queue
                              ->serve({.engine_id = "e1", .max_in_flight = max_in_flight},
                                      [&worker](JobContextPtr context) {
                                        const std::lock_guard lock(worker.mutex);
                                        worker.held.push_back(std::move(context));
                                      })
                              .value();
    return worker;
  }
  Worker& serve(std::size_t max_in_flight = 1024) { return serve(options(), max_in_flight); }

  /// As the kernel ends a killed one: its lock and connections go, its jobs are not completed.
  static void end(Worker& worker) {
    worker.subscription.reset();
    worker.queue.reset();
    const std::lock_guard lock(worker.mutex);
    for (auto& context : worker.held) {
      lost().push_back(std::move(context));
    }
    worker.held.clear();
  }
  static std::vector<JobContextPtr>& lost() {
    static std::vector<JobContextPtr> contexts;
    return contexts;
  }

  std::future<JobResult> submit(const std::string& id, milliseconds lifetime = seconds(30)) {
    auto promise = std::make_shared<std::promise<JobResult>>();
    gateway_->submit("e1", Job{.id = id, .name = "job", .body = id, .lifetime = lifetime},
                     {.on_established = nullptr, .on_result = [promise](JobResult result) {
                        promise->set_value(std::move(result));
                      }});
    return promise->get_future();
  }

  static JobResult get(std::future<JobResult>& future, seconds limit = seconds(15)) {
    if (future.wait_for(limit) != std::future_status::ready) {
      return Error{ErrorKind::Internal, "no result in time"};
    }
    return future.get();
  }

  void onLoop(const std::function<void()>& fn) {
    std::promise<void> done;
    reactor_->post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }

  /// Redis has after a kill all that it had answered.
  void keepData() {
    server_ =
        testing::RedisServer::start({.settings = {"--appendfsync", "always"}, .append_only = true})
            .value();
    gateway_ = std::make_unique<RedisQueue>(*reactor_, options());
  }

  /// A command from beside, as somebody with access to Redis would send it.
  RedisReply redis(const RedisConnection::Arguments& arguments) {
    if (!inspector_) {
      onLoop([this] {
        inspector_ = RedisConnection::create(
            *reactor_, {.target = RedisTarget::create(server_->url()).value()}, {});
        inspector_->start();
      });
    }
    RedisReply answer;
    EXPECT_TRUE(eventually([&] {
      std::promise<Result<RedisReply>> promise;
      onLoop([&] {
        inspector_->send(arguments, [&promise](Result<RedisReply> reply) {
          promise.set_value(std::move(reply));
        });
      });
      auto reply = promise.get_future().get();
      if (!reply) {
        return false;
      }
      answer = *std::move(reply);
      return true;
    }));
    return answer;
  }
  /// What Redis counted of a command: "calls", "rejected_calls".
  std::int64_t commandStat(const std::string& command, const std::string& name) {
    const std::string text = redis({"INFO", "commandstats"}).text;
    const auto line = text.find("cmdstat_" + command + ":");
    const auto at = line == std::string::npos ? line : text.find(name + "=", line);
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + name.size() + 1));
  }
  std::int64_t streamLength() { return redis({"XLEN", keys_.jobs("e1")}).integer; }
  double metric(const std::string& line) {
    const std::string text = metrics_.text();
    const auto at = text.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + 1 + line.size()));
  }
  static std::int64_t nowMs() {
    return std::chrono::duration_cast<milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void forge(const std::string& text, const std::string& mac) {
    redis({"XADD", keys_.jobs("e1"), "*", "job", text, "mac", mac});
  }

  const std::string secret_ = "the key of these tests, 32 bytes.";
  const RedisKeys keys_{"c"};
  Metrics metrics_;
  std::unique_ptr<testing::RedisServer> server_;
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::thread loop_;
  RedisConnectionPtr inspector_;
  std::unique_ptr<RedisQueue> gateway_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

TEST_F(RedisQueueFailure, ADeadWorkersJobsGoToAnother) {
  Worker& first = serve();
  std::vector<std::future<JobResult>> results;
  for (int i = 0; i < 150; ++i) {
    results.push_back(submit(std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return first.count() == 150; }));
  Worker& second = serve();
  EXPECT_EQ(second.count(), 0U);
  end(first);
  ASSERT_TRUE(eventually([&] { return second.count() == 150; }));
  for (std::size_t i = 0; i < 150; ++i) {
    second.at(i)->complete(JobOutput{.body = second.at(i)->job().id, .env = {}});
  }
  for (std::size_t i = 0; i < 150; ++i) {
    EXPECT_EQ(get(results[i])->body, std::to_string(i));
  }
  EXPECT_TRUE(eventually([this] { return streamLength() == 0; }));
  EXPECT_EQ(metric("flotilla_queue_claimed_jobs_total"), 150);
}

TEST_F(RedisQueueFailure, AWorkerWithoutRoomLeavesADeadOneAlone) {
  Worker& first = serve(1);
  auto left = submit("left");
  ASSERT_TRUE(eventually([&] { return first.count() == 1; }));
  auto full = options();
  const auto taken_over = std::make_shared<std::atomic<int>>(0);
  full.on_worker_gone = [taken_over] { ++*taken_over; };
  Worker& second = serve(full, 1);
  auto running = submit("running");
  ASSERT_TRUE(eventually([&] { return second.count() == 1; }));
  end(first);
  // Two heartbeats of the second, and many of its looks, which are more frequent.
  const auto before = commandStat("xpending", "calls");
  ASSERT_TRUE(eventually([&] { return commandStat("xpending", "calls") >= before + 2; }));
  EXPECT_EQ(*taken_over, 0);
  second.at(0)->complete(JobOutput{});
  ASSERT_TRUE(eventually([&] { return second.count() == 2; }));
  EXPECT_EQ(*taken_over, 1);
  second.at(1)->complete(JobOutput{.body = "done", .env = {}});
  EXPECT_EQ(get(left)->body, "done");
}

TEST_F(RedisQueueFailure, ALivingWorkersJobsStayWithIt) {
  Worker& first = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return first.count() == 1; }));
  Worker& second = serve();
  std::this_thread::sleep_for(seconds(1));  // several looks of the second
  EXPECT_EQ(second.count(), 0U);
  first.at(0)->complete(JobOutput{});
  EXPECT_TRUE(get(result));
}

TEST_F(RedisQueueFailure, RedisBackWithoutItsDataLosesNoJob) {
  Worker& worker = serve(1);
  auto running = submit("running");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  auto waiting = submit("waiting");
  ASSERT_TRUE(eventually([this] { return streamLength() == 2; }));
  server_->kill();
  worker.at(0)->complete(JobOutput{.body = "done", .env = {}});
  ASSERT_TRUE(server_->restart());
  EXPECT_EQ(get(running)->body, "done");
  // Both were sent again: the first may come back under its id before its reply is read.
  std::size_t next = 1;
  ASSERT_TRUE(eventually([&] {
    while (next < worker.count()) {
      const auto context = worker.at(next++);
      context->complete(JobOutput{.body = context->job().id, .env = {}});
    }
    return waiting.wait_for(seconds(0)) == std::future_status::ready;
  }));
  EXPECT_EQ(get(waiting)->body, "waiting");
}

TEST_F(RedisQueueFailure, RedisBackWithItsDataDeliversOnce) {
  keepData();
  Worker& worker = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  server_->kill();
  ASSERT_TRUE(server_->restart());
  std::this_thread::sleep_for(seconds(1));
  EXPECT_EQ(worker.count(), 1U);
  worker.at(0)->complete(JobOutput{.body = "done", .env = {}});
  EXPECT_EQ(get(result)->body, "done");
}

TEST_F(RedisQueueFailure, AStoppedRedisAnswersAfterwards) {
  Worker& worker = serve();
  auto first = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  server_->signal(SIGSTOP);
  worker.at(0)->complete(JobOutput{.body = "first", .env = {}});
  auto second = submit("2");
  std::this_thread::sleep_for(seconds(7));  // longer than connections are believed in
  server_->signal(SIGCONT);
  EXPECT_EQ(get(first)->body, "first");
  ASSERT_TRUE(eventually([&] { return worker.count() >= 2; }));
  for (std::size_t i = 1; i < worker.count(); ++i) {
    worker.at(i)->complete(JobOutput{.body = "second", .env = {}});
  }
  EXPECT_TRUE(get(second));
}

TEST_F(RedisQueueFailure, AnAbsentRedisIsNamedInTime) {
  server_->kill();
  auto result = submit("1");
  const auto refused = get(result);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(refused.error().message().find("job queue"), std::string::npos)
      << refused.error().message();
  EXPECT_NE(refused.error().message().find(server_->socket()), std::string::npos)
      << refused.error().message();
  EXPECT_GT(refused.error().retryAfter(), seconds(0));
}

TEST_F(RedisQueueFailure, AnEngineThatNobodyServesIsNamedInTime) {
  auto result = submit("1");
  const auto refused = get(result, seconds(10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(refused.error().message(), "no worker serves engine e1");
}

TEST_F(RedisQueueFailure, RedisWithoutMemoryIsNamed) {
  Worker& worker = serve();
  auto before = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  redis({"CONFIG", "SET", "maxmemory", "1"});
  auto result = submit("2");
  const auto refused = get(result);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(refused.error().message().find("OOM"), std::string::npos) << refused.error().message();
  // A result that Redis has no room for is kept, with its entry.
  worker.at(0)->complete(JobOutput{.body = "kept", .env = {}});
  ASSERT_TRUE(eventually([this] { return commandStat("rpush", "rejected_calls") > 0; }));
  redis({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(get(before)->body, "kept");
}

TEST_F(RedisQueueFailure, ForgedJobsAreRefusedAndGo) {
  Worker& worker = serve();
  auto real = submit("real");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  JobEnvelope envelope{.engine_id = "e1",
                       .gateway_id = "g",
                       .lifetime_ms = 60'000,
                       .job = {.id = "f", .name = "job"}};
  envelope.issued_ms = nowMs();
  const auto key = ClusterKey::fromBytes(secret_);
  const std::string text = encodeJob(envelope);
  forge(text, "");
  forge(text, ClusterKey::fromBytes("another cluster's key, 32 bytes!!").sign(kJobPurpose, text));
  forge(text, key.sign(kReplyPurpose, text));
  envelope.engine_id = "e2";  // signed, but an order to another engine
  forge(encodeJob(envelope), key.sign(kJobPurpose, encodeJob(envelope)));
  envelope.engine_id = "e1";
  envelope.issued_ms -= 120'000;  // signed, but old: a copy of what was seen earlier
  forge(encodeJob(envelope), key.sign(kJobPurpose, encodeJob(envelope)));
  EXPECT_TRUE(eventually([this] { return streamLength() == 1; }));
  EXPECT_EQ(worker.count(), 1U);
  EXPECT_EQ(metric("flotilla_queue_refused_jobs_total{reason=\"forged\"}"), 3);
  EXPECT_EQ(metric("flotilla_queue_refused_jobs_total{reason=\"foreign\"}"), 1);
  EXPECT_EQ(metric("flotilla_queue_refused_jobs_total{reason=\"expired\"}"), 1);
  worker.at(0)->complete(JobOutput{});
  EXPECT_TRUE(get(real));
}

TEST_F(RedisQueueFailure, AQuestionThatRedisRefusesEndsItsJob) {
  Worker& worker = serve(1);
  auto running = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  redis({"ACL", "SETUSER", "default", "-xpending"});
  auto waiting = submit("2", milliseconds(300));
  const auto answer = get(waiting);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(answer.error().message().find("NOPERM"), std::string::npos) << answer.error().message();
}

TEST_F(RedisQueueFailure, AJobThatWasSentTwiceRunsOnce) {
  redis({"SET", keys_.gateway("g"), "1"});
  JobEnvelope envelope{.engine_id = "e1",
                       .gateway_id = "g",
                       .issued_ms = nowMs() - 5'000,  // not fresh: its gateway is asked for first
                       .lifetime_ms = 600'000,
                       .job = {.id = "1", .name = "job"}};
  const auto key = ClusterKey::fromBytes(secret_);
  for (int copy = 0; copy < 3; ++copy) {
    const std::string text = encodeJob(envelope);
    forge(text, key.sign(kJobPurpose, text));
  }
  Worker& worker = serve();
  ASSERT_TRUE(eventually([&] { return worker.count() >= 1; }));
  EXPECT_TRUE(eventually([this] { return streamLength() == 1; }));
  EXPECT_EQ(worker.count(), 1U);
}

TEST_F(RedisQueueFailure, AJobThatIsRefusedIsAnsweredAtItsEnd) {
  auto other = options();
  other.key = ClusterKey::fromBytes("another key, that of another cluster");
  Worker& worker = serve(other);
  auto result = submit("1", milliseconds(300));
  const auto answer = get(result);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(answer.error().message().find("refused"), std::string::npos)
      << answer.error().message();
  EXPECT_EQ(worker.count(), 0U);
}

TEST_F(RedisQueueFailure, ForgedRepliesAreRefused) {
  Worker& worker = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  std::string reply_key;
  for (const auto& key : redis({"KEYS", "*:gw:*"}).elements) {
    reply_key = keys_.reply(key.text.substr(key.text.rfind(':') + 1));
  }
  const auto other = ClusterKey::fromBytes("another cluster's key, 32 bytes!!");
  redis({"RPUSH", reply_key,
         encodeReply(other, "1", JobResult(JobOutput{.body = "forged", .env = {}}))});
  worker.at(0)->complete(JobOutput{.body = "true", .env = {}});
  EXPECT_EQ(get(result)->body, "true");
  EXPECT_EQ(metric("flotilla_queue_bad_replies_total"), 1);
}

TEST_F(RedisQueueFailure, ACloneOfTheHostServesNothing) {
  Worker& original = serve();
  auto first = submit("1");
  ASSERT_TRUE(eventually([&] { return original.count() == 1; }));
  auto clone_options = options();
  clone_options.host_identity = "another host";
  clone_options.workers_folder += "-clone";
  std::promise<Error> refused;
  std::once_flag once;
  clone_options.on_refused = [&](const Error& why) {
    std::call_once(once, [&] { refused.set_value(why); });
  };
  Worker& clone = serve(clone_options);
  auto told = refused.get_future();
  ASSERT_EQ(told.wait_for(seconds(10)), std::future_status::ready);
  const Error why = told.get();
  EXPECT_NE(why.message().find("this host"), std::string::npos) << why.message();
  EXPECT_NE(why.message().find("another host"), std::string::npos) << why.message();
  for (int i = 0; i < 20; ++i) {
    submit("more" + std::to_string(i));
  }
  ASSERT_TRUE(eventually([&] { return original.count() == 21; }));
  EXPECT_EQ(clone.count(), 0U);
  end(clone);
}

TEST_F(RedisQueueFailure, WaitingJobsOfAGatewayThatIsGoneAreDropped) {
  JobEnvelope envelope{.engine_id = "e1",
                       .gateway_id = "gone",
                       .lifetime_ms = 600'000,
                       .job = {.id = "1", .name = "job"}};
  // Far older than what is taken for fresh: a busy machine reads Redis' clock late.
  envelope.issued_ms = nowMs() - 60'000;
  const std::string text = encodeJob(envelope);
  forge(text, ClusterKey::fromBytes(secret_).sign(kJobPurpose, text));
  Worker& worker = serve();
  EXPECT_TRUE(eventually([this] {
    return metric("flotilla_queue_refused_jobs_total{reason=\"gateway gone\"}") == 1;
  }));
  EXPECT_TRUE(eventually([this] { return streamLength() == 0; }));
  EXPECT_EQ(worker.count(), 0U);
}

TEST_F(RedisQueueFailure, AJobThatIsNotStartedGivesItsSlotBack) {
  Worker& worker = serve(1);
  ASSERT_TRUE(eventually([this] { return redis({"EXISTS", keys_.jobs("e1")}).integer == 1; }));
  JobEnvelope orphan{.engine_id = "e1",
                     .gateway_id = "gone",
                     .issued_ms = nowMs() - 60'000,
                     .lifetime_ms = 600'000,
                     .job = {.id = "orphan", .name = "job"}};
  const std::string text = encodeJob(orphan);
  forge(text, ClusterKey::fromBytes(secret_).sign(kJobPurpose, text));
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  worker.at(0)->complete(JobOutput{.body = "done", .env = {}});
  EXPECT_EQ(get(result)->body, "done");
}

TEST_F(RedisQueueFailure, ACancelIsHeardAfterTheConnectionBroke) {
  Worker& worker = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  redis(
      {"SET", keys_.cancelled("1"), "1"});  // as if the message had been sent while nobody listened
  redis({"CLIENT", "KILL", "TYPE", "pubsub"});
  EXPECT_TRUE(eventually([&] { return worker.at(0)->cancelled(); }));
}

TEST_F(RedisQueueFailure, ACancelThatRedisNeverReadIsSaidAgain) {
  keepData();
  Worker& worker = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  server_->signal(SIGSTOP);
  gateway_->cancel("1");
  onLoop([] {});
  onLoop([] {});  // it is written
  server_->kill();
  ASSERT_TRUE(server_->restart());
  EXPECT_TRUE(eventually([&] { return worker.at(0)->cancelled(); }));
}

TEST_F(RedisQueueFailure, EveryKeyHasALifetime) {
  Worker& worker = serve();
  auto result = submit("1");
  ASSERT_TRUE(eventually([&] { return worker.count() == 1; }));
  auto cancelled = submit("2");
  gateway_->cancel("2");
  worker.at(0)->established({});
  worker.at(0)->complete(JobOutput{});
  ASSERT_TRUE(get(result));
  const auto keys = redis({"KEYS", "*"});
  EXPECT_GE(keys.elements.size(), 3U);
  for (const auto& key : keys.elements) {
    EXPECT_GT(redis({"PTTL", key.text}).integer, 0) << key.text;
  }
}

}  // namespace
}  // namespace flotilla
