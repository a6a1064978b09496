#include "common/job/job.h"

#include <gtest/gtest.h>

#include "common/job/job_engine.h"
#include "common/job/testing/recorded_context.h"

namespace flotilla {
namespace {

using testing_support::RecordedContext;

TEST(JobEnv, BooleansFollowDockersRule) {
  JobEnv env;
  for (const auto* value : {"", "0", "no", "False", "NONE", " "}) {
    env.set("x", value);
    EXPECT_FALSE(env.getBool("x")) << value;
  }
  for (const auto* value : {"1", "true", "yes", "anything"}) {
    env.set("x", value);
    EXPECT_TRUE(env.getBool("x")) << value;
  }
  EXPECT_FALSE(env.getBool("absent"));
}

TEST(JobEnv, IntegersNameTheBadValue) {
  JobEnv env;
  env.set("t", "12");
  env.set("bad", "12s");
  EXPECT_EQ(env.getInt("t", 0).value(), 12);
  EXPECT_EQ(env.getInt("absent", 7).value(), 7);
  const auto bad = env.getInt("bad", 0);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_NE(bad.error().message().find("12s"), std::string::npos);
}

TEST(JobEnv, ListsSurviveAnyText) {
  JobEnv env;
  const std::vector<std::string> values = {"a,b", "", "\"quoted\"", "ü"};
  env.setList("l", values);
  EXPECT_EQ(env.getList("l"), values);
  EXPECT_TRUE(env.getList("absent").empty());
}

TEST(JobMetrics, CountOutcomesAndTimeToTheFirstAnswer) {
  Metrics metrics;
  ThreadPool queries({.name = "query", .max_threads = 1});
  ThreadPool work({.name = "work", .max_threads = 1});
  JobEngine engine(queries, work, &metrics);
  engine.handle("wait", Lane::Query, [](const JobContextPtr& context) {
    context->established({});
    context->complete(JobOutput{});
  });
  engine.handle("fail", Lane::Work, [](const JobContextPtr& context) {
    context->complete(Error{ErrorKind::NotFound, "nothing"});
    context->complete(Error{ErrorKind::NotFound, "twice"});
  });
  for (const auto* name : {"wait", "fail"}) {
    auto context = std::make_shared<RecordedContext>(Job{.name = name});
    engine.run(context);
    static_cast<void>(context->waitResult());
  }
  const std::string text = metrics.text();
  for (const auto* line : {"flotilla_jobs_total{job=\"wait\",outcome=\"success\"} 1",
                           "flotilla_jobs_total{job=\"fail\",outcome=\"error\"} 1",
                           "flotilla_job_seconds_count{job=\"wait\"} 1",
                           "flotilla_job_seconds_count{job=\"fail\"} 1"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
}

class JobEngineTest : public testing::Test {
 protected:
  ThreadPool queries_{{.name = "query", .max_threads = 1}};
  ThreadPool work_{{.name = "work", .max_threads = 1}};
  JobEngine engine_{queries_, work_};
};

TEST_F(JobEngineTest, RunsTheHandlerOfThatName) {
  engine_.handle("echo", Lane::Query, [](const JobContextPtr& context) {
    context->complete(JobOutput{.body = context->job().body, .env = {}});
  });
  auto context = std::make_shared<RecordedContext>(Job{.name = "echo", .body = "hi"});
  engine_.run(context);
  EXPECT_EQ(context->waitResult().value().body, "hi");
}

TEST_F(JobEngineTest, AShortcutAnswersOnTheThreadThatRunsTheJob) {
  engine_.handle(
      "look", Lane::Query,
      [](const JobContextPtr& context) {
        context->complete(JobOutput{.body = "looked up", .env = {}});
      },
      [](const Job& job) -> std::optional<JobResult> {
        if (job.body == "throw") {
          return JobOutput{.body = job.args.at(3), .env = {}};
        }
        return job.body == "known" ? std::optional<JobResult>(JobOutput{.body = "known", .env = {}})
                                   : std::nullopt;
      });
  auto known = std::make_shared<RecordedContext>(Job{.name = "look", .body = "known"});
  engine_.run(known);
  EXPECT_EQ(queries_.threads(), 0U);
  EXPECT_EQ(known->waitResult().value().body, "known");
  auto unknown = std::make_shared<RecordedContext>(Job{.name = "look"});
  engine_.run(unknown);
  EXPECT_EQ(unknown->waitResult().value().body, "looked up");
  auto failing = std::make_shared<RecordedContext>(Job{.name = "look", .body = "throw"});
  engine_.run(failing);
  EXPECT_EQ(failing->waitResult().error().kind(), ErrorKind::Internal);
}

TEST_F(JobEngineTest, UnknownNamesAreRefusedByName) {
  auto context = std::make_shared<RecordedContext>(Job{.name = "nonsense"});
  engine_.run(context);
  const auto result = context->waitResult();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::NotImplemented);
  EXPECT_NE(result.error().message().find("nonsense"), std::string::npos);
}

TEST_F(JobEngineTest, CatchAllTakesUnknownNames) {
  engine_.handleOthers(Lane::Work, [](const JobContextPtr& context) {
    context->complete(JobOutput{.body = "other", .env = {}});
  });
  auto context = std::make_shared<RecordedContext>(Job{.name = "nonsense"});
  engine_.run(context);
  EXPECT_EQ(context->waitResult().value().body, "other");
}

TEST_F(JobEngineTest, AThrowingHandlerFailsItsJobOnly) {
  engine_.handle("throw", Lane::Work, [](const JobContextPtr& context) {
    static_cast<void>(context->job().args.at(3));
  });
  auto context = std::make_shared<RecordedContext>(Job{.name = "throw"});
  engine_.run(context);
  EXPECT_EQ(context->waitResult().error().kind(), ErrorKind::Internal);
}

TEST_F(JobEngineTest, ABlockedWorkLaneDoesNotDelayQueries) {
  std::promise<void> release;
  auto released = release.get_future().share();
  engine_.handle("block", Lane::Work, [released](const JobContextPtr& context) {
    released.wait();
    context->complete(JobOutput{});
  });
  engine_.handle("query", Lane::Query,
                 [](const JobContextPtr& context) { context->complete(JobOutput{}); });
  std::vector<std::shared_ptr<RecordedContext>> blocked;
  for (int i = 0; i < 64; ++i) {
    blocked.push_back(std::make_shared<RecordedContext>(Job{.name = "block"}));
    engine_.run(blocked.back());
  }
  auto query = std::make_shared<RecordedContext>(Job{.name = "query"});
  engine_.run(query);
  EXPECT_TRUE(query->waitResult().has_value());
  release.set_value();
  for (const auto& context : blocked) {
    EXPECT_TRUE(context->waitResult().has_value());
  }
}

}  // namespace
}  // namespace flotilla
