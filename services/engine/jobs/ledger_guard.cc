#include "engine/jobs/ledger_guard.h"

#include <array>
#include <atomic>
#include <chrono>
#include <sstream>
#include <string_view>
#include <utility>

#include "common/json/json.h"
#include "common/log/log.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::milliseconds kOwnerLook{200};

/// What a job's container was like when the job was first claimed.
struct Facts {
  std::string id;  // "" = no such container
  std::string status;
  unsigned run = 0;

  [[nodiscard]] bool ran() const {
    return status == "running" || status == "paused" || status == "restarting";
  }

  static Facts parse(const std::string& text) {
    Facts facts;
    std::istringstream words(text);
    words >> facts.id >> facts.status >> facts.run;
    return facts;
  }
  [[nodiscard]] std::string text() const {
    return id.empty() ? "" : id + " " + status + " " + std::to_string(run);
  }
};

/// Is `error` only the trace of an attempt that did its work and died before it could say so?
using DoneBefore = bool (*)(const Error& error, const Facts& before, const Job& job,
                            const ContainerRecord* now);

bool startDone(const Error& error, const Facts& before, const Job&, const ContainerRecord* now) {
  const bool removed =
      error.kind() == ErrorKind::NotFound && !before.id.empty() && now == nullptr;  // --rm
  return removed || (error.kind() == ErrorKind::NotModified && !before.ran());
}
bool stopDone(const Error& error, const Facts& before, const Job&, const ContainerRecord*) {
  return error.kind() == ErrorKind::NotModified && before.ran();
}
bool killDone(const Error& error, const Facts& before, const Job&, const ContainerRecord* now) {
  return error.kind() == ErrorKind::Conflict && before.ran() &&
         (now == nullptr || !now->state.running());
}
bool pauseDone(const Error&, const Facts& before, const Job&, const ContainerRecord* now) {
  return before.status == "running" && now != nullptr &&
         now->state.status == ContainerStatus::Paused;
}
bool unpauseDone(const Error&, const Facts& before, const Job&, const ContainerRecord* now) {
  return before.status == "paused" && now != nullptr &&
         now->state.status == ContainerStatus::Running;
}
bool renameDone(const Error&, const Facts&, const Job& job, const ContainerRecord* now) {
  std::string wanted = job.env.get("name");
  if (wanted.starts_with('/')) {
    wanted.erase(0, 1);
  }
  return now != nullptr && now->name == wanted;
}
bool removeDone(const Error& error, const Facts& before, const Job&, const ContainerRecord* now) {
  return error.kind() == ErrorKind::NotFound && !before.id.empty() && now == nullptr;
}
/// Nothing to see beforehand: gone is what was asked for.
bool goneDone(const Error& error, const Facts&, const Job&, const ContainerRecord*) {
  return error.kind() == ErrorKind::NotFound;
}
/// The stream of an attached one went with its worker; a detached one needs nobody.
bool execStartDone(const Error& error, const Facts&, const Job& job, const ContainerRecord*) {
  const auto body = json::parse(job.body.empty() ? "{}" : job.body);
  const auto detach = body ? json::boolOr(*body, "Detach", false) : Result<bool>(false);
  return error.kind() == ErrorKind::Conflict && detach && *detach;
}
bool never(const Error&, const Facts&, const Job&, const ContainerRecord*) { return false; }

struct Rule {
  std::string_view job;
  DoneBefore done_before;
  std::string_view body = "";  // of the success told then
};

/// Every job with an effect of its own; streams of archives are not here: their bytes cannot come
/// twice, and a second attempt finds nobody who sends them.
constexpr std::array<Rule, 16> kRules = {{
    {"container_create", never},
    {"container_start", startDone},
    {"container_stop", stopDone},
    {"container_restart", never},
    {"container_kill", killDone},
    {"container_pause", pauseDone},
    {"container_unpause", unpauseDone},
    {"container_rename", renameDone},
    {"container_update", never},
    {"container_remove", removeDone},
    {"exec_create", never},
    {"exec_start", execStartDone},
    {"image_tag", never},
    {"image_remove", goneDone, "[]"},
    {"volume_create", never},
    {"volume_remove", goneDone},
}};

const Rule* ruleFor(std::string_view job) {
  for (const Rule& rule : kRules) {
    if (rule.job == job) {
      return &rule;
    }
  }
  return nullptr;
}

bool namesContainer(std::string_view job) {
  return job.starts_with("container_") && job != "container_create";
}

/// The job as its handler sees it. Creation keeps a row of its own in the ledger otherwise; a
/// second attempt means the container of the first, whatever it is called by now.
Job shown(Job job, const JobLedger::Claimed& claimed) {
  if (job.name == "container_create") {
    job.id.clear();
  }
  const Facts before = Facts::parse(claimed.before);
  if (claimed.again && namesContainer(job.name) && !before.id.empty() && !job.args.empty()) {
    job.args.front() = before.id;
    job.env.setInt(kFirstFoundRun, before.run);
  }
  return job;
}

}  // namespace

/// A claimed job: its result is settled before it is told.
class LedgerGuard::Context final : public JobContext {
 public:
  Context(std::shared_ptr<LedgerGuard> guard, JobContextPtr inner, JobLedger::Claimed claimed)
      : guard_(std::move(guard)),
        inner_(std::move(inner)),
        claimed_(std::move(claimed)),
        job_(shown(inner_->job(), claimed_)) {}

  ~Context() override {
    complete(Error{ErrorKind::Internal, "job " + job_.name + " was dropped without a result"});
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const Job& job() const override { return job_; }
  void established(Established message) override { inner_->established(std::move(message)); }
  void complete(JobResult result) override {
    if (!completed_.exchange(true)) {
      inner_->onCancel([] {});
      guard_->settle(inner_, claimed_, std::move(result));
    }
  }
  [[nodiscard]] bool cancelled() const override { return inner_->cancelled(); }
  void onCancel(std::function<void()> fn) override { inner_->onCancel(std::move(fn)); }

 private:
  const std::shared_ptr<LedgerGuard> guard_;  // shared with every claimed job
  const JobContextPtr inner_;
  const JobLedger::Claimed claimed_;
  const Job job_;
  std::atomic<bool> completed_{false};
};

std::string LedgerGuard::factsOf(const Job& job) {
  if (!namesContainer(job.name) || job.args.empty()) {
    return "";
  }
  const auto record = parts_.catalog.get(job.args.front());
  if (!record) {
    return "";
  }
  const ContainerState& state = (*record)->state;
  return Facts{(*record)->id, std::string(statusName(state.status)), state.run}.text();
}

void LedgerGuard::admit(JobContextPtr context, Run run) {
  if (ruleFor(context->job().name) == nullptr || context->job().id.empty()) {
    return run(std::move(context));
  }
  claim(context, run, "");
}

void LedgerGuard::claim(const JobContextPtr& context, const Run& run,
                        const std::string& dead_owner) {
  auto outcome = std::make_shared<JobLedger::Claimed>();  // shared by the write and its end
  const JobLedger::Claim wanted{context->job().id, parts_.worker, factsOf(context->job()),
                                dead_owner};
  parts_.database.writeAsync(
      Durability::Relaxed,
      [self = shared_from_this(), wanted, outcome](Transaction& transaction) -> Result<void> {
        FLO_TRY_ASSIGN(*outcome, self->parts_.ledger.claim(transaction, wanted));
        return {};
      },
      [self = shared_from_this(), context, run, outcome](const Result<void>& done) {
        done ? self->claimed(context, run, *outcome) : context->complete(done.error());
      });
}

void LedgerGuard::claimed(const JobContextPtr& context, const Run& run,
                          const JobLedger::Claimed& claimed) {
  if (claimed.result) {
    return context->complete(*claimed.result);
  }
  if (!claimed.busy_owner.empty()) {
    // Delivered twice. The other one answers, or dies and leaves it to this one.
    const auto look = [self = shared_from_this(), context, run, owner = claimed.busy_owner] {
      self->claim(context, run, self->parts_.lives(owner) ? "" : owner);
    };
    if (!parts_.lives(claimed.busy_owner)) {
      return look();
    }
    return parts_.reactor.post(
        [&reactor = parts_.reactor, look] { reactor.runAfter(kOwnerLook, look); });
  }
  const Job& job = context->job();
  if (claimed.again && job.name == "container_create") {
    const std::string id = job.env.get("id");
    const auto made = parts_.catalog.find(id);
    if (made && *made) {
      return settle(context, claimed,
                    JobOutput{json::dump({{"Id", id}, {"Warnings", json::Json::array()}}), {}});
    }
  }
  run(std::make_shared<Context>(shared_from_this(), context, claimed));
}

void LedgerGuard::settle(const JobContextPtr& context, const JobLedger::Claimed& claimed,
                         JobResult result) {
  const Job& job = context->job();
  const Rule* rule = ruleFor(job.name);
  if (!result && claimed.again && rule != nullptr) {
    const Facts before = Facts::parse(claimed.before);
    const auto now =
        before.id.empty() ? Result<ContainerRecordPtr>(nullptr) : parts_.catalog.find(before.id);
    if (now && rule->done_before(result.error(), before, job, now->get())) {
      result = JobOutput{std::string(rule->body), {}};
    }
  }
  auto told = std::make_shared<JobResult>(std::move(result));  // shared by the write and its end
  parts_.database.writeAsync(
      Durability::Relaxed,
      [self = shared_from_this(), id = job.id, epoch = claimed.epoch,
       told](Transaction& transaction) {
        return self->parts_.ledger.settle(transaction, id, epoch, *told);
      },
      [self = shared_from_this(), context, told](const Result<void>& settled) {
        if (settled) {
          return context->complete(std::move(*told));
        }
        log::warning("the result of a job could not be settled",
                     {{"job", context->job().id}, {"error", settled.error().message()}});
        self->answerAsSettled(context);
      });
}

/// Another worker has the job: its result is the job's. Not settled yet: that worker will tell.
void LedgerGuard::answerAsSettled(const JobContextPtr& context) {
  auto found = std::make_shared<std::optional<JobResult>>();  // shared by the write and its end
  parts_.database.writeAsync(
      Durability::Relaxed,
      [self = shared_from_this(), id = context->job().id,
       found](Transaction& transaction) -> Result<void> {
        FLO_TRY_ASSIGN(*found, self->parts_.ledger.find(transaction, id));
        return {};
      },
      [context, found](const Result<void>& read) {
        if (read && *found) {
          return context->complete(**found);
        }
        context->complete(Error{ErrorKind::Unavailable,
                                "the job was taken over by another worker; its outcome is"
                                " not known here"});
      });
}

}  // namespace flotilla::engine
