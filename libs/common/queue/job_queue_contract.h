#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/event/reactor.h"
#include "common/queue/job_queue.h"

/// What every JobQueue does. An implementation instantiates the suite with a named factory:
///   INSTANTIATE_TEST_SUITE_P(Memory, JobQueueContract, testing::Values(QueueFactory{...}));
namespace flotilla::queue_contract {

struct QueueFactory {
  std::string name;
  /// `max_waiting` is how many undelivered jobs an engine may have. Null: not to be had here.
  std::function<std::unique_ptr<JobQueue>(Reactor& timers, std::size_t max_waiting)> make;
};

inline void PrintTo(const QueueFactory& factory, std::ostream* out) { *out << factory.name; }

/// What one submitted job told its submitter.
struct Outcome {
  std::mutex mutex;
  std::vector<std::string> order;
  std::promise<JobResult> result;
  std::future<JobResult> future = result.get_future();

  JobQueue::Callbacks callbacks(const std::shared_ptr<Outcome>& self) {
    return {.on_established =
                [self](const Established& message) {
                  const std::lock_guard lock(self->mutex);
                  self->order.push_back("established " + message.env.get("fact"));
                },
            .on_result =
                [self](JobResult job_result) {
                  {
                    const std::lock_guard lock(self->mutex);
                    self->order.emplace_back("result");
                  }
                  self->result.set_value(std::move(job_result));
                }};
  }

  JobResult wait() {
    if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
      return Error{ErrorKind::Internal, "no result within 10 s"};
    }
    return future.get();
  }
};

// gtest makes and ends its fixtures: NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor)
class JobQueueContract : public testing::TestWithParam<QueueFactory> {
 protected:
  JobQueueContract()
      : reactor_(Reactor::create().value()),
        loop_([this] { reactor_->run(); }),
        queue_(GetParam().make(*reactor_, 4)) {}

  void SetUp() override {
    if (!queue_) {
      GTEST_SKIP() << "what this queue needs is not installed";
    }
  }

  ~JobQueueContract() override {
    subscription_.reset();
    held_.clear();
    queue_.reset();
    reactor_->stop();
    loop_.join();
  }

  JobQueueContract(const JobQueueContract&) = delete;
  JobQueueContract& operator=(const JobQueueContract&) = delete;

  void serve(std::function<void(JobContextPtr)> deliver, std::size_t max_in_flight = 1024) {
    subscription_ =
        queue_->serve({.engine_id = "e1", .max_in_flight = max_in_flight}, std::move(deliver))
            .value();
  }

  /// Keeps every delivered job without completing it.
  void serveHolding(std::size_t max_in_flight = 1024) {
    serve(
        [this](JobContextPtr context) {
          const std::lock_guard lock(mutex_);
          held_.push_back(std::move(context));
        },
        max_in_flight);
  }

  JobContextPtr held(std::size_t index) {
    for (int i = 0; i < 10000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (held_.size() > index) {
          return held_[index];
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return nullptr;
  }

  std::shared_ptr<Outcome> submit(const std::string& id, const std::string& body = "",
                                  std::optional<std::chrono::milliseconds> lifetime = {}) {
    auto outcome = std::make_shared<Outcome>();
    queue_->submit("e1", Job{.id = id, .name = "job", .body = body, .lifetime = lifetime},
                   outcome->callbacks(outcome));
    return outcome;
  }

  std::unique_ptr<Reactor> reactor_;
  std::thread loop_;
  std::unique_ptr<JobQueue> queue_;
  std::unique_ptr<JobQueue::Subscription> subscription_;
  std::mutex mutex_;
  std::vector<JobContextPtr> held_;
};

TEST_P(JobQueueContract, CarriesAJobAndItsResult) {
  serve([](const JobContextPtr& context) {
    JobOutput output{.body = context->job().body + "!", .env = {}};
    output.env.set("fact", context->job().env.get("fact"));
    context->complete(std::move(output));
  });
  auto outcome = std::make_shared<Outcome>();
  Job job{.id = "1", .name = "job", .args = {"a", "b"}, .body = "hello"};
  job.env.set("fact", "kept");
  queue_->submit("e1", job, outcome->callbacks(outcome));
  const auto result = outcome->wait();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->body, "hello!");
  EXPECT_EQ(result->env.get("fact"), "kept");
}

TEST_P(JobQueueContract, CarriesAnErrorWithItsKind) {
  serve([](const JobContextPtr& context) {
    context->complete(Error{ErrorKind::NotFound, "No such container: x"});
  });
  const auto result = submit("1")->wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(result.error().message(), "No such container: x");
}

TEST_P(JobQueueContract, EstablishedComesOnceAndBeforeTheResult) {
  serve([](const JobContextPtr& context) {
    Established message;
    message.env.set("fact", "1");
    context->established(message);
    context->established(message);
    context->complete(JobOutput{});
    context->complete(JobOutput{});
  });
  const auto outcome = submit("1");
  ASSERT_TRUE(outcome->wait().has_value());
  EXPECT_EQ(outcome->order, (std::vector<std::string>{"established 1", "result"}));
}

TEST_P(JobQueueContract, JobsOfOneSubmitterArriveInOrder) {
  serveHolding();
  for (int i = 0; i < 3; ++i) {
    submit(std::to_string(i));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_NE(held(i), nullptr);
    EXPECT_EQ(held(i)->job().id, std::to_string(i));
  }
}

TEST_P(JobQueueContract, NobodyServesIsUnavailable) {
  const auto result = submit("1", "", std::chrono::milliseconds(200))->wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
}

TEST_P(JobQueueContract, DeliversNoMoreThanAskedFor) {
  serveHolding(2);
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 4; ++i) {
    outcomes.push_back(submit(std::to_string(i)));
  }
  ASSERT_NE(held(1), nullptr);
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(held_.size(), 2U);
  }
  held(0)->complete(JobOutput{});
  ASSERT_NE(held(2), nullptr);
  EXPECT_TRUE(outcomes[0]->wait().has_value());
}

TEST_P(JobQueueContract, AFullQueueRefuses) {
  serveHolding(1);
  std::vector<std::shared_ptr<Outcome>> outcomes;
  outcomes.push_back(submit("0"));
  ASSERT_NE(held(0), nullptr);
  for (int i = 1; i <= 5; ++i) {
    outcomes.push_back(submit(std::to_string(i)));
  }
  const auto refused = outcomes.back()->wait();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
}

TEST_P(JobQueueContract, CancelRemovesAWaitingJob) {
  serveHolding(1);
  submit("0");
  ASSERT_NE(held(0), nullptr);
  const auto waiting = submit("1");
  queue_->cancel("1");
  EXPECT_FALSE(waiting->wait());
  held(0)->complete(JobOutput{});
  const auto after = submit("2");
  ASSERT_NE(held(1), nullptr);
  EXPECT_EQ(held(1)->job().id, "2");
}

TEST_P(JobQueueContract, CancelTellsARunningJobWhichStillCompletes) {
  serveHolding();
  const auto outcome = submit("1");
  const auto context = held(0);
  ASSERT_NE(context, nullptr);
  std::promise<void> told;
  context->onCancel([&told] { told.set_value(); });
  EXPECT_FALSE(context->cancelled());
  queue_->cancel("1");
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(context->cancelled());
  context->complete(Error{ErrorKind::Unavailable, "client gone"});
  EXPECT_FALSE(outcome->wait());
}

TEST_P(JobQueueContract, OnCancelAfterCancelRunsAtOnce) {
  serveHolding();
  submit("1");
  const auto context = held(0);
  ASSERT_NE(context, nullptr);
  queue_->cancel("1");
  for (int i = 0; i < 10000 && !context->cancelled(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bool told = false;
  context->onCancel([&told] { told = true; });
  EXPECT_TRUE(told);
}

TEST_P(JobQueueContract, CancelOfUnknownAndFinishedJobsIsIgnored) {
  serve([](const JobContextPtr& context) { context->complete(JobOutput{}); });
  queue_->cancel("never seen");
  EXPECT_TRUE(submit("1")->wait().has_value());
  queue_->cancel("1");
}

TEST_P(JobQueueContract, AnExpiredJobIsNotStarted) {
  serveHolding(1);
  submit("0");
  ASSERT_NE(held(0), nullptr);
  const auto expired = submit("1", "", std::chrono::milliseconds(20));
  const auto result = expired->wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);  // never begun: try again
  held(0)->complete(JobOutput{});
  submit("2");
  ASSERT_NE(held(1), nullptr);
  EXPECT_EQ(held(1)->job().id, "2");
}

TEST_P(JobQueueContract, ADroppedJobIsAnError) {
  serve([](const JobContextPtr&) {});
  const auto result = submit("1")->wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Internal);
}

TEST_P(JobQueueContract, NothingIsDeliveredAfterTheSubscriptionEnds) {
  serveHolding();
  subscription_.reset();
  const auto result = submit("1", "", std::chrono::milliseconds(200))->wait();
  EXPECT_FALSE(result);
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(held_.empty());
}

TEST_P(JobQueueContract, ManySubmittersManyJobs) {
  serve([](const JobContextPtr& context) {
    context->complete(JobOutput{.body = context->job().id, .env = {}});
  });
  std::vector<std::thread> submitters;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    submitters.emplace_back([&, t] {
      for (int i = 0; i < 250; ++i) {
        const auto id = std::to_string(t) + "-" + std::to_string(i);
        const auto result = submit(id)->wait();
        right += result && result->body == id ? 1 : 0;
      }
    });
  }
  for (auto& submitter : submitters) {
    submitter.join();
  }
  EXPECT_EQ(right, 1000);
}

}  // namespace flotilla::queue_contract
