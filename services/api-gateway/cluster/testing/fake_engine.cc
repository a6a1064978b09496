#include "api-gateway/cluster/testing/fake_engine.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace flotilla::gateway {
namespace {

using json::Json;

JobResult done(const Json& document) { return JobOutput{.body = json::dump(document), .env = {}}; }

Error missing(const std::string& reference) {
  return Error{ErrorKind::NotFound, "No such container: " + reference};
}

/// Takes an archive until it is half-closed, then says something and closes.
class Intake : public std::enable_shared_from_this<Intake> {
 public:
  Intake(net::StreamPtr stream, std::function<std::string(std::string)> whole)
      : stream_(std::move(stream)), whole_(std::move(whole)) {}

  void start() {
    stream_->start([self = shared_from_this()] { self->readable(); }, [] {});
  }

 private:
  void readable() {
    const auto self = shared_from_this();
    std::array<char, 65536> piece{};
    const auto size = stream_->read(piece.data(), piece.size());
    if (size && *size > 0) {
      bytes_.append(piece.data(), *size);
      return;
    }
    if (!size && size.error().kind() == ErrorKind::Unavailable) {
      return;
    }
    static_cast<void>(stream_->write(whole_(std::move(bytes_))));
    stream_->close();
  }

  const net::StreamPtr stream_;
  const std::function<std::string(std::string)> whole_;
  std::string bytes_;
};

}  // namespace

FakeEngine::FakeEngine(Reactor& reactor, MemoryQueue& queue, StreamServer& streams, std::string id,
                       std::string name)
    : reactor_(reactor),
      queue_(queue),
      streams_(streams),
      id_(std::move(id)),
      name_(std::move(name)) {
  serve();
}

FakeEngine::~FakeEngine() = default;

void FakeEngine::serve() {
  auto subscription =
      queue_.serve({.engine_id = id_}, [this](const JobContextPtr& context) { take(context); });
  if (subscription) {
    subscription_ = *std::move(subscription);
  }
}

void FakeEngine::answerKept() {
  const std::lock_guard lock(mutex_);
  hanging_ = false;
  for (const JobContextPtr& context : std::exchange(kept_, {})) {
    take(context);
  }
}

std::size_t FakeEngine::keptUncancelled(const std::string& job) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(kept_, [&job](const JobContextPtr& kept) {
    return kept->job().name == job && !kept->cancelled();
  }));
}

void FakeEngine::die() {
  hanging_ = true;
  subscription_.reset();
  dropStreams();
}

void FakeEngine::revive() {
  hanging_ = false;
  if (!subscription_) {
    serve();
  }
}

void FakeEngine::dropStreams() {
  reactor_.post([this] {
    for (const auto& stream : std::exchange(followers_, {})) {
      stream->abort();
    }
  });
}

void FakeEngine::put(Container container) {
  const std::lock_guard lock(mutex_);
  containers_[container.id] = container;
  emit("create", container);
}

void FakeEngine::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const Container gone = containers_[id];
  containers_.erase(id);
  emit("destroy", gone);
}

void FakeEngine::addImage(const std::string& name, const std::string& id) {
  const std::lock_guard lock(mutex_);
  images_[name] = id;
}

std::vector<std::string> FakeEngine::names() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [id, container] : containers_) {
    names.push_back(container.name);
  }
  return names;
}

bool FakeEngine::has(const std::string& name) {
  const auto all = names();
  return std::ranges::find(all, name) != all.end();
}

std::vector<std::string> FakeEngine::jobs() {
  const std::lock_guard lock(mutex_);
  return jobs_;
}

std::string FakeEngine::filters() {
  const std::lock_guard lock(mutex_);
  return filters_;
}

std::string FakeEngine::loaded() {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

void FakeEngine::take(const JobContextPtr& context) {
  const Job& job = context->job();
  const std::lock_guard lock(mutex_);
  if (job.name != "engine_report" && job.name != "events") {
    jobs_.push_back(job.name);
  }
  if (hanging_) {
    kept_.push_back(context);
  } else if (job.name == "events") {
    events(context);
  } else if (job.name == "image_load") {
    load(context);
  } else if (job.name == "container_wait") {
    context->established({});
    kept_.push_back(context);
  } else {
    context->complete(answer(job));
  }
}

JobResult FakeEngine::answer(const Job& job) {
  if (job.name == "engine_report") {
    return report(job);
  }
  if (job.name == "container_create") {
    return create(job);
  }
  if (job.name == "container_list") {
    return list(job);
  }
  if (job.name.starts_with("image_")) {
    return images(job);
  }
  if (job.name.starts_with("volume_") || job.name.starts_with("network_")) {
    return named(job);
  }
  return change(job);
}

FakeEngine::Container* FakeEngine::find(const std::string& reference) {
  for (auto& [id, container] : containers_) {
    if (id == reference || container.name == reference || "/" + container.name == reference) {
      return &container;
    }
  }
  const auto prefixed = containers_.lower_bound(reference);
  return prefixed != containers_.end() && prefixed->first.starts_with(reference) ? &prefixed->second
                                                                                 : nullptr;
}

Json FakeEngine::summary(const Container& container) const {
  return {{"Id", container.id},       {"Names", {"/" + container.name}},
          {"Image", container.image}, {"ImageID", "sha256:1"},
          {"Created", clock_},        {"State", container.state},
          {"Status", "Up 1 second"},  {"Labels", Json(container.labels)}};
}

JobResult FakeEngine::report(const Job& job) {
  Json rows = Json::array();
  const auto row = [this](const Container& container) {
    return Json{{"Summary", summary(container)}, {"Memory", container.memory}};
  };
  for (const std::string& name : job.args) {
    if (const Container* container = find(name)) {
      rows.push_back(row(*container));
    } else if (!job.env.getBool("partial")) {
      return missing(name);
    }
  }
  if (!job.args.empty()) {
    return done({{"Mark", "1"}, {"Containers", rows}});
  }
  Json report = {{"Mark", "1"},
                 {"Info",
                  {{"ID", id_},
                   {"Name", name_},
                   {"NCPU", cpus},
                   {"MemTotal", memory},
                   {"Labels", labels},
                   {"OSType", "linux"},
                   {"Containers", containers_.size()},
                   {"ContainersRunning", containers_.size()},
                   {"Images", images_.size()},
                   {"ServerVersion", "0.1.0"}}}};
  if (!job.env.getBool("brief")) {
    for (const auto& [id, container] : containers_) {
      rows.push_back(row(container));
    }
    report["Containers"] = rows;
  }
  return done(report);
}

JobResult FakeEngine::create(const Job& job) {
  const auto body = json::parse(job.body);
  const std::string image = body ? body->value("Image", "") : "";
  if (!images_.contains(image)) {
    return Error{ErrorKind::NotFound, "No such image: " + image};
  }
  const std::string name = job.env.get("name");
  if (find(name) != nullptr) {
    return Error{ErrorKind::Conflict, "the engine says: name in use"};
  }
  ++clock_;
  Container container{job.env.get("id"), name, image};
  containers_[container.id] = container;
  emit("create", container);
  return done({{"Id", container.id}, {"Warnings", Json::array()}});
}

JobResult FakeEngine::list(const Job& job) {
  filters_ = job.env.get("filters");
  Json rows = Json::array();
  for (const auto& [id, container] : containers_) {
    rows.push_back(summary(container));
  }
  return done(rows);
}

JobResult FakeEngine::change(const Job& job) {
  const std::string reference = job.args.empty() ? "" : job.args.front();
  if (job.name == "exec_inspect" || job.name == "exec_start") {
    const auto exec = execs_.find(reference);
    return exec == execs_.end()
               ? JobResult(Error{ErrorKind::NotFound, "No such exec instance: " + reference})
               : done({{"ID", reference}, {"ContainerID", exec->second}, {"On", name_}});
  }
  Container* container = find(reference);
  if (container == nullptr) {
    return missing(reference);
  }
  if (job.name == "container_remove") {
    const Container gone = *container;
    containers_.erase(gone.id);
    emit("destroy", gone);
    return done({{"Id", gone.id}, {"Name", "/" + gone.name}, {"On", name_}});
  }
  if (job.name == "container_rename") {
    container->name = job.env.get("name");
    emit("rename", *container);
  } else if (job.name == "container_start") {
    container->state = "running";
    emit("start", *container);
  } else if (job.name == "exec_create") {
    const std::string exec = "exec-" + container->id;
    execs_[exec] = container->id;
    emit("exec_create: sh", *container, exec);
    return done({{"Id", exec}});
  }
  return done({{"Id", container->id},
               {"Name", "/" + container->name},
               {"Created", container->created},
               {"On", name_}});
}

JobResult FakeEngine::images(const Job& job) {
  if (job.name == "image_list") {
    filters_ = job.env.get("filters");
    Json list = Json::array();
    for (const auto& [name, id] : images_) {
      list.push_back({{"Id", id}, {"RepoTags", {name}}, {"Created", 1}, {"Containers", -1}});
    }
    return done(list);
  }
  const std::string name = job.args.empty() ? "" : job.args.front();
  const auto image = images_.find(name);
  if (image == images_.end()) {
    return Error{ErrorKind::NotFound, "No such image: " + name};
  }
  if (job.name == "image_remove") {
    images_.erase(image);
    return done(Json::array({{{"Untagged", name}}}));
  }
  return done({{"Id", image->second}, {"On", name_}});
}

/// Volumes by their names, and no networks.
JobResult FakeEngine::named(const Job& job) {
  const bool volume = job.name.starts_with("volume_");
  if (job.name == "network_list") {
    return done(Json::array());
  }
  if (job.name == "volume_list") {
    Json list = Json::array();
    for (const std::string& name : volumes_) {
      list.push_back({{"Name", name}, {"Driver", "local"}});
    }
    return done({{"Volumes", list}});
  }
  if (job.name == "volume_create") {
    const auto body = json::parse(job.body);
    volumes_.insert(body ? body->value("Name", "") : "");
    return done({{"On", name_}});
  }
  const std::string name = job.args.empty() ? "" : job.args.front();
  if (!volume || !volumes_.contains(name)) {
    return Error{ErrorKind::NotFound,
                 "No such " + std::string(volume ? "volume" : "network") + ": " + name};
  }
  if (job.name == "volume_remove") {
    volumes_.erase(name);
    return JobOutput{};
  }
  return done({{"Name", name}, {"On", name_}});
}

void FakeEngine::events(const JobContextPtr& context) {
  if (const auto refused = refuse_events ? refuse_events(context->job()) : std::nullopt) {
    context->complete(*refused);
    return;
  }
  Established message;
  message.env.setInt("now", clock_ + 1);
  message.stream = streams_.expect([this, context](Result<net::StreamPtr> stream) {
    if (stream) {
      (*stream)->start([] {}, [] {});
      (*stream)->enableRead(false);
      follow(context->job(), *stream);
    }
    context->complete(JobOutput{});
  });
  context->established(std::move(message));
}

/// What is past first; with an `until` that is all.
void FakeEngine::follow(const Job& job, const net::StreamPtr& stream) {
  const auto ns = [](const std::string& text) {
    return static_cast<std::int64_t>(std::strtold(text.c_str(), nullptr) * 1e9L + 0.5L);
  };
  const std::lock_guard lock(mutex_);
  for (const auto& [time, line] : told_) {
    if (job.env.has("since") && time >= ns(job.env.get("since"))) {
      static_cast<void>(stream->write(line));
    }
  }
  if (!job.env.get("until").empty()) {
    stream->close();
  } else {
    followers_.push_back(stream);
  }
}

void FakeEngine::load(const JobContextPtr& context) {
  Established message;
  message.stream = streams_.expect([this, context](Result<net::StreamPtr> stream) {
    if (!stream) {
      context->complete(stream.error());
      return;
    }
    std::make_shared<Intake>(*std::move(stream), [this, context](std::string bytes) {
      const std::lock_guard lock(mutex_);
      loaded_ = std::move(bytes);
      if (lose_load_result) {
        kept_.push_back(context);
      } else {
        context->complete(load_result);
      }
      return load_answer;
    })->start();
  });
  context->established(std::move(message));
}

void FakeEngine::emit(const std::string& action, const Container& container,
                      const std::string& exec) {
  Json attributes = {{"name", container.name}, {"image", container.image}};
  if (!exec.empty()) {
    attributes["execID"] = exec;
  }
  const Json event = {{"Type", "container"},
                      {"Action", action},
                      {"from", container.image},
                      {"Actor", {{"ID", container.id}, {"Attributes", attributes}}},
                      {"timeNano", ++clock_}};
  told_.emplace_back(clock_, json::dump(event) + "\n");
  reactor_.post([this, line = told_.back().second] {
    for (const auto& follower : followers_) {
      static_cast<void>(follower->write(line));
    }
  });
}

}  // namespace flotilla::gateway
