#include "engine/jobs/volume_jobs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "common/json/json.h"

namespace flotilla::engine {
namespace {

class NoEvents final : public EventLog {
 public:
  Result<void> append(Transaction&, Event) override { return {}; }
};

class OneJob final : public JobContext {
 public:
  explicit OneJob(Job job) : job_(std::move(job)) {}
  const Job& job() const override { return job_; }
  void established(Established) override {}
  void complete(JobResult result) override { done_.set_value(std::move(result)); }
  bool cancelled() const override { return false; }
  void onCancel(std::function<void()>) override {}
  JobResult result() { return done_.get_future().get(); }

 private:
  Job job_;
  std::promise<JobResult> done_;
};

class VolumeJobs : public ::testing::Test {
 protected:
  VolumeJobs() {
    std::string pattern = ::testing::TempDir() + "flotilla-volume-jobs-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    database_ = Database::open(root_ + "/engine.db", volumeMigrations()).value();
    const VolumeUsers users = [this](const std::string& name) {
      return Result<std::vector<std::string>>(name == used_ ? std::vector<std::string>{"c1"}
                                                            : std::vector<std::string>{});
    };
    store_ =
        VolumeStore::create(*database_, events_, {.directory = root_ + "/volumes", .users = users})
            .value();
    addVolumeJobs(engine_, *store_, users);
  }
  ~VolumeJobs() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  JobResult run(const std::string& name, std::vector<std::string> args,
                const std::string& body = {}, std::pair<std::string, std::string> env = {}) {
    Job job;
    job.name = name;
    job.args = std::move(args);
    job.body = body;
    if (!env.first.empty()) {
      job.env.set(env.first, env.second);
    }
    const auto context = std::make_shared<OneJob>(std::move(job));
    engine_.run(context);
    return context->result();
  }
  std::vector<std::string> listed(const std::string& filters) {
    std::vector<std::string> names;
    const auto document =
        json::parse(run("volume_list", {}, {}, {"filters", filters}).value().body).value();
    for (const auto& volume : document["Volumes"]) {
      names.push_back(volume["Name"]);
    }
    return names;
  }

  std::string root_, used_;
  NoEvents events_;
  ThreadPool queries_{{.name = "queries"}}, work_{{.name = "work"}};
  JobEngine engine_{queries_, work_};
  std::unique_ptr<Database> database_;
  std::unique_ptr<VolumeStore> store_;
};

TEST_F(VolumeJobs, AnswersInDockersShape) {
  const auto made =
      run("volume_create", {}, R"({"Name":"data","Labels":{"a":"b"},"Unknown":1})").value().body;
  const auto created = json::parse(made).value()["CreatedAt"].get<std::string>();
  EXPECT_EQ(made, R"({"CreatedAt":")" + created +
                      R"(","Driver":"local","Labels":{"a":"b"},"Mountpoint":")" + root_ +
                      R"(/volumes/data/_data","Name":"data","Options":null,"Scope":"local"})");
  EXPECT_EQ(run("volume_inspect", {"data"}).value().body, made);
  EXPECT_EQ(run("volume_list", {}).value().body,
            R"({"Volumes":[)" + made + R"(],"Warnings":null})");
}

TEST_F(VolumeJobs, FiltersTheList) {
  ASSERT_TRUE(run("volume_create", {}, R"({"Name":"one","Labels":{"k":"v"}})"));
  ASSERT_TRUE(run("volume_create", {}, R"({"Name":"two"})"));
  used_ = "one";
  EXPECT_EQ(listed(R"({"name":["w"]})"), std::vector<std::string>{"two"});
  EXPECT_EQ(listed(R"({"label":{"k=v":true}})"), std::vector<std::string>{"one"});
  EXPECT_EQ(listed(R"({"label":["k"]})"), std::vector<std::string>{"one"});
  EXPECT_EQ(listed(R"({"dangling":["true"]})"), std::vector<std::string>{"two"});
  EXPECT_EQ(listed(R"({"dangling":["0"]})"), std::vector<std::string>{"one"});
  EXPECT_EQ(listed(R"({"driver":["nfs"]})"), std::vector<std::string>{});
  EXPECT_EQ(run("volume_list", {}, {}, {"filters", R"({"foo":["x"]})"}).error().message(),
            "invalid filter 'foo'");
  EXPECT_EQ(run("volume_list", {}, {}, {"filters", R"({"dangling":["x"]})"}).error().message(),
            "invalid filter 'dangling=[x]'");
  EXPECT_EQ(run("volume_list", {}, {}, {"filters", "xx"}).error().message(),
            "error reading volume filters: invalid filter");
}

TEST_F(VolumeJobs, RemovesWithForceWhatIsNotThere) {
  EXPECT_EQ(run("volume_remove", {"nope"}).error().kind(), ErrorKind::NotFound);
  EXPECT_TRUE(run("volume_remove", {"nope"}, {}, {"force", "1"}));
  ASSERT_TRUE(run("volume_create", {}, R"({"Name":"busy"})"));
  used_ = "busy";
  EXPECT_EQ(run("volume_remove", {"busy"}, {}, {"force", "1"}).error().kind(), ErrorKind::Conflict);
}

TEST_F(VolumeJobs, RefusesBadBodies) {
  for (const char* body :
       {"xx", "[]", R"({"Name":5})", R"({"Labels":[]})", R"({"DriverOpts":{"a":1}})"}) {
    EXPECT_EQ(run("volume_create", {}, body).error().kind(), ErrorKind::InvalidArgument) << body;
  }
}

}  // namespace
}  // namespace flotilla::engine
