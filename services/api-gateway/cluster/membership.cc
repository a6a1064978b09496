#include "api-gateway/cluster/membership.h"

#include <algorithm>
#include <ctime>
#include <random>
#include <set>
#include <utility>

#include "api-gateway/cluster/host_call.h"
#include "common/log/log.h"

namespace flotilla::gateway {
namespace {

using std::chrono::milliseconds;

milliseconds randomBelow(milliseconds bound) {
  thread_local std::mt19937 generator{std::random_device{}()};
  return milliseconds(bound.count() > 0 ? static_cast<std::int64_t>(generator()) % bound.count()
                                        : 0);
}

/// Why an engine cannot be part of the cluster; "" when it can.
std::string refusalOf(const HostFacts& facts) {
  if (facts.cpus <= 0 || facts.memory <= 0) {
    return "cannot get resources for this engine: it reports no CPUs or no memory";
  }
  const auto labels = facts.info.find("Labels");
  if (labels != facts.info.end() && labels->is_array()) {
    for (const auto& label : *labels) {
      if (!label.is_string() || label.get<std::string>().find('=') == std::string::npos) {
        return "an engine label must be key=value: " + json::dump(label);
      }
    }
  }
  return "";
}

}  // namespace

/// One listed address and what goes on about it.
class Membership::Watched : public std::enable_shared_from_this<Watched> {
 public:
  Watched(Membership& owner, std::string address) : owner_(owner), host_(std::make_shared<Host>()) {
    host_->address = std::move(address);
  }

  [[nodiscard]] const HostPtr& host() const { return host_; }
  /// Was it validated or refused?
  [[nodiscard]] bool tried() const { return tried_; }

  void start() { identify(); }

  /// Leaves the cluster; nothing is called any more.
  void stop() {
    owner_.reactor_.cancelTimer(std::exchange(timer_, 0));
    if (const auto call = std::exchange(call_, nullptr)) {
      call->cancel();
    }
    stopped_ = true;
    disconnect();
  }

  void probeNow() {
    if (timer_ != 0 && host_->engine && host_->state != HostState::Pending) {
      owner_.reactor_.cancelTimer(std::exchange(timer_, 0));
      probe();
    }
  }

 private:
  void later(milliseconds delay) {
    timer_ = owner_.reactor_.runAfter(delay, [self = shared_from_this()] {
      self->timer_ = 0;
      if (self->host_->state == HostState::Healthy) {
        self->probe();
      } else {
        self->identify();
      }
    });
  }

  /// Asks the directory who is there; an unhealthy host may have become another engine meanwhile.
  void identify() {
    owner_.directory_.find(host_->address, [weak = weak_from_this()](Result<EngineIdentity> found) {
      const auto self = weak.lock();
      if (self && !self->stopped_) {
        self->identified(std::move(found));
      }
    });
  }

  void identified(Result<EngineIdentity> found) {
    const bool known = host_->engine && host_->state == HostState::Unhealthy;
    if (!found || !found->refusal.empty()) {
      if (known) {
        probe();
      } else if (!found && found.error().kind() != ErrorKind::NotFound) {
        putOff(found.error().message());
      } else {
        refuse(found ? found->refusal : found.error().message());
      }
      return;
    }
    if (known && found->engine_id == host_->facts.engine_id) {
      probe();
      return;
    }
    if (known) {
      becomeAnother();
    }
    const std::string double_of = owner_.duplicateOf(*host_, found->engine_id);
    if (!double_of.empty()) {
      refuse("duplicate engine ID " + found->engine_id + ": it is also that of " + double_of);
      return;
    }
    host_->facts.engine_id = found->engine_id;
    host_->facts.name = found->name;
    host_->engine = owner_.connect_(found->engine_id);
    probe();
  }

  /// The engine at this address has been replaced: a new host takes the old one's place.
  void becomeAnother() {
    auto fresh = std::make_shared<Host>();
    fresh->address = host_->address;
    disconnect();
    host_ = std::move(fresh);
  }

  void disconnect() {
    const bool was_up = host_->state == HostState::Healthy || host_->state == HostState::Unhealthy;
    host_->state = HostState::Disconnected;
    if (was_up) {
      owner_.listener_.hostGone(host_);
    }
  }

  void probe() {
    const auto now = Reactor::Clock::now();
    const bool full = host_->state != HostState::Healthy || now >= next_full_;
    Job job;
    job.name = "engine_report";
    if (!full) {
      job.env.setBool("brief", true);
    }
    const std::uint64_t moment = owner_.listener_.moment();
    call_ = nullptr;
    call_ =
        HostCall::start(owner_.reactor_, host_->engine, std::move(job), owner_.options_.deadline,
                        [weak = weak_from_this(), full, moment](JobResult result) {
                          if (const auto self = weak.lock(); self && !self->stopped_) {
                            self->call_ = nullptr;
                            self->answered(std::move(result), full, moment);
                          }
                        });
  }

  void answered(JobResult result, bool full, std::uint64_t moment) {
    auto report = result ? parseEngineReport(result->body) : Result<EngineReport>(result.error());
    if (report && (!report->facts || (full && !report->containers))) {
      report = Error{ErrorKind::Internal, "the engine's report is incomplete"};
    }
    if (!report) {
      failed(report.error());
      return;
    }
    if (report->facts->engine_id != host_->facts.engine_id) {
      refuse("engine " + host_->facts.engine_id + " says it is " + report->facts->engine_id);
      return;
    }
    if (const std::string reason = refusalOf(*report->facts); !reason.empty()) {
      refuse(reason);
      return;
    }
    healed(*std::move(report), full, moment);
  }

  void healed(EngineReport report, bool full, std::uint64_t moment) {
    const HostState before = host_->state;
    host_->facts = *std::move(report.facts);
    host_->failures = 0;
    host_->error.clear();
    host_->updated_s = std::time(nullptr);
    pending_tries_ = 0;
    if (full) {
      const auto& options = owner_.options_;
      next_full_ = Reactor::Clock::now() + options.refresh_min +
                   randomBelow(options.refresh_max - options.refresh_min);
    }
    if (before == HostState::Pending) {
      // Asked again: two addresses may have been validated at the same time.
      const std::string double_of = owner_.duplicateOf(*host_, host_->facts.engine_id);
      if (!double_of.empty()) {
        refuse("duplicate engine ID " + host_->facts.engine_id + ": it is also that of " +
               double_of);
        return;
      }
    }
    host_->state = HostState::Healthy;
    later(owner_.options_.pulse);
    const HostPtr host = host_;
    if (report.containers) {
      owner_.listener_.reported(host, *std::move(report.containers), moment);
    }
    if (before != HostState::Healthy) {
      log::info("host is up", {{"host", host->name()}, {"address", host->address}});
      owner_.listener_.hostUp(host, before == HostState::Unhealthy);
    }
    settle();
  }

  void failed(const Error& error) {
    host_->error = error.message();
    if (host_->state == HostState::Pending) {
      refuse(error.message());
      return;
    }
    ++host_->failures;
    const auto& options = owner_.options_;
    if (host_->state == HostState::Healthy && host_->failures < options.failure_retry) {
      later(options.confirm);
      return;
    }
    const bool was_healthy =
        std::exchange(host_->state, HostState::Unhealthy) == HostState::Healthy;
    const int rounds = std::clamp(host_->failures - options.failure_retry, 0, 4);
    later(options.pulse * (1 + rounds));
    if (was_healthy) {
      log::warning("host does not answer",
                   {{"host", host_->name()}, {"address", host_->address}, {"error", host_->error}});
      owner_.listener_.hostDown(host_);
    }
  }

  void refuse(const std::string& reason) {
    putOff(reason);
    settle();
  }

  /// Stays, or becomes, one that is not used, and is tried again.
  void putOff(const std::string& reason) {
    if (host_->error != reason) {
      log::warning("host is not part of the cluster",
                   {{"host", host_->name()}, {"address", host_->address}, {"reason", reason}});
    }
    if (host_->state != HostState::Pending) {
      becomeAnother();
    }
    host_->error = reason;
    host_->updated_s = std::time(nullptr);
    // A host that has just been started is tried soon, one that is refused for good is not.
    const auto longest = owner_.options_.validate_retry;
    const milliseconds delay =
        std::min(longest, longest / 32 * (1 << std::min(pending_tries_++, 5)));
    later(delay);
  }

  void settle() {
    if (!std::exchange(tried_, true)) {
      owner_.checkSettled();
    }
  }

  Membership& owner_;
  HostPtr host_;
  std::shared_ptr<HostCall> call_;
  Reactor::TimerId timer_ = 0;
  Reactor::Clock::time_point next_full_{};
  int pending_tries_ = 0;
  bool tried_ = false;
  bool stopped_ = false;
};

Membership::Membership(Reactor& reactor, EngineDirectory& directory, Connect connect,
                       MembershipOptions options, MembershipListener& listener)
    : reactor_(reactor),
      directory_(directory),
      connect_(std::move(connect)),
      options_(options),
      listener_(listener) {}

Membership::~Membership() {
  for (const auto& [address, watched] : watched_) {
    watched->host()->state = HostState::Pending;  // nobody is left to tell
    watched->stop();
  }
}

void Membership::update(const DiscoveryEntries& entries) {
  const std::set<std::string> listed(entries.begin(), entries.end());
  listed_ = false;
  for (auto at = watched_.begin(); at != watched_.end();) {
    if (listed.contains(at->first)) {
      ++at;
      continue;
    }
    const auto leaving = at->second;
    at = watched_.erase(at);
    log::info("host left discovery",
              {{"host", leaving->host()->name()}, {"address", leaving->host()->address}});
    leaving->stop();
  }
  for (const std::string& address : listed) {
    if (!watched_.contains(address)) {
      auto watched = std::make_shared<Watched>(*this, address);
      watched_.emplace(address, watched);
      watched->start();
    }
  }
  listed_ = true;
  checkSettled();
}

void Membership::whenSettled(std::function<void()> done) {
  settled_ = std::move(done);
  checkSettled();
}

void Membership::checkSettled() {
  const bool all =
      std::ranges::all_of(watched_, [](const auto& watched) { return watched.second->tried(); });
  if (!listed_ || !all) {
    return;
  }
  if (const auto done = std::exchange(settled_, nullptr)) {
    done();
  }
}

std::vector<HostPtr> Membership::all() const {
  std::vector<HostPtr> hosts;
  for (const auto& [address, watched] : watched_) {
    hosts.push_back(watched->host());
  }
  std::stable_sort(hosts.begin(), hosts.end(),
                   [](const HostPtr& a, const HostPtr& b) { return a->name() < b->name(); });
  return hosts;
}

std::vector<HostPtr> Membership::healthy() const {
  auto hosts = all();
  std::erase_if(hosts, [](const HostPtr& host) { return !host->healthy(); });
  return hosts;
}

HostPtr Membership::find(std::string_view name) const {
  HostPtr found;
  for (const auto& [address, watched] : watched_) {
    const HostPtr& host = watched->host();
    if (host->state == HostState::Pending ||
        (host->name() != name && host->facts.engine_id != name && address != name)) {
      continue;
    }
    if (found) {
      return nullptr;
    }
    found = host;
  }
  return found;
}

void Membership::suspect(const HostPtr& host) {
  const auto at = watched_.find(host->address);
  if (at != watched_.end() && at->second->host() == host) {
    at->second->probeNow();
  }
}

void Membership::learned(const HostPtr& host, HostFacts facts) {
  host->facts = std::move(facts);
  host->updated_s = std::time(nullptr);
}

std::string Membership::duplicateOf(const Host& host, const std::string& engine_id) const {
  for (const auto& [address, watched] : watched_) {
    const Host& other = *watched->host();
    if (&other != &host && other.facts.engine_id == engine_id &&
        (other.state == HostState::Healthy || other.state == HostState::Unhealthy)) {
      return other.name() + " (" + address + ")";
    }
  }
  return "";
}

}  // namespace flotilla::gateway
