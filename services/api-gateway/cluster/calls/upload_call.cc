#include "api-gateway/cluster/calls/upload_call.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "api-gateway/cluster/calls/node_names.h"
#include "common/json/json.h"
#include "common/os/random.h"
#include "common/os/rfc3339.h"

namespace flotilla::gateway {
namespace {

constexpr std::chrono::seconds kStall{30};
constexpr std::size_t kPiece = 64U << 10U;
constexpr std::size_t kLongestLine = 1U << 20U;

}  // namespace

/// The way to one host.
struct UploadCall::Branch {
  HostPtr host;
  std::string job_id;
  net::StreamPtr stream;    // while bytes come from it
  bool connecting = false;  // established, or about to be
  bool settled = false;     // connected, or never will be
  std::string input;        // not taken by the host yet
  bool half_closed = false;
  bool moved = false;  // took something since the last look
  std::string output;  // an unfinished line of its answer
  std::optional<JobResult> result;
  bool told = false;  // why it failed

  [[nodiscard]] bool over() const { return settled && !stream && result; }
};

std::vector<UploadCall::BranchPtr> UploadCall::open() const {
  std::vector<BranchPtr> open;
  std::ranges::copy_if(branches_, std::back_inserter(open),
                       [](const BranchPtr& branch) { return branch->stream != nullptr; });
  return open;
}

void UploadCall::start() {
  const AskedHosts asked(context_.membership.all());
  const auto& hosts = asked.healthy;
  if (hosts.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  absent_ = asked.absent;
  if (hosts.size() == 1 && absent_.empty()) {
    forward(hosts.front());
    return;
  }
  stream_ =
      MergedStream::create({.on_client =
                                [weak = std::weak_ptr(self<UploadCall>())](net::StreamPtr client) {
                                  if (const auto call = weak.lock()) {
                                    call->clientCame(std::move(client));
                                  }
                                },
                            .on_gone =
                                [weak = std::weak_ptr(self<UploadCall>())] {
                                  if (const auto call = weak.lock()) {
                                    call->cancel();
                                  }
                                },
                            .on_full =
                                [weak = std::weak_ptr(self<UploadCall>())](bool full) {
                                  if (const auto call = weak.lock()) {
                                    for (const BranchPtr& branch : call->open()) {
                                      branch->stream->enableRead(!full);
                                    }
                                  }
                                }});
  for (const HostPtr& host : hosts) {
    branches_.push_back(std::make_shared<Branch>());
    branches_.back()->host = host;
  }
  // One that is not there by then does not get the image; the others do not wait.
  if (job_.name == "image_import") {
    job_.env.set("created", rfc3339(wallClockNanoseconds()));  // it is the same image everywhere
  }
  const bool pull = job_.name == "image_create";  // a registry is asked first
  ready_timer_ = context_.reactor.runAfter(
      pull ? context_.times.change : context_.times.answer, [call = self<UploadCall>()] {
        call->ready_timer_ = 0;
        for (const BranchPtr& branch : std::vector(call->branches_)) {
          if (!branch->settled && !call->finished()) {
            call->drop(branch, Error{ErrorKind::DeadlineExceeded, "no answer in time"});
          }
        }
      });
  for (const BranchPtr& branch : std::vector(branches_)) {
    submitTo(branch);
  }
}

void UploadCall::submitTo(const BranchPtr& branch) {
  Job job = job_;
  branch->job_id = job.id = randomHex(16);
  job.lifetime = context_.times.answer;
  Reactor& reactor = context_.reactor;
  branch->host->engine->submit(
      std::move(job), {.on_established =
                           [call = self<UploadCall>(), branch, &reactor,
                            dial = context_.dial](const Established& message) {
                             if (!message.stream) {
                               return;
                             }
                             onLoop(reactor,
                                    [call, branch, &reactor, dial, endpoint = *message.stream] {
                                      branch->connecting = true;
                                      connectStream(reactor, endpoint, dial,
                                                    [call, branch](Result<net::StreamPtr> stream) {
                                                      call->connected(branch, std::move(stream));
                                                    });
                                    });
                           },
                       .on_result =
                           [call = self<UploadCall>(), branch, &reactor](JobResult result) {
                             onLoop(reactor, [call, branch, result = std::move(result)]() mutable {
                               call->resultOf(branch, std::move(result));
                             });
                           }});
}

void UploadCall::connected(const BranchPtr& branch, Result<net::StreamPtr> stream) {
  if (finished() || branch->settled) {
    if (stream) {
      (*stream)->close();
    }
    return;
  }
  if (!stream) {
    drop(branch, stream.error());
    return;
  }
  branch->settled = true;
  branch->stream = *std::move(stream);
  branch->stream->start([call = self<UploadCall>(), branch] { call->readAnswer(branch); },
                        [call = self<UploadCall>(), branch] {
                          call->push(branch);
                          call->pumpInput();
                        });
  startIfReady();
}

void UploadCall::resultOf(const BranchPtr& branch, JobResult result) {
  if (finished()) {
    return;
  }
  branch->result = std::move(result);
  if (!branch->connecting && !branch->settled) {
    drop(branch, *branch->result ? Error{ErrorKind::Internal, "the job ended without a stream"}
                                 : branch->result->error());
    return;
  }
  finishIfComplete();
}

void UploadCall::drop(const BranchPtr& branch, const Error& why) {
  branch->settled = true;
  if (!branch->result) {
    branch->host->engine->cancel(branch->job_id);
  }
  branch->result = why;
  if (const auto stream = std::exchange(branch->stream, nullptr)) {
    stream->abort();
  }
  addError(branch, why.message());
  if (isSilence(*branch->result)) {
    context_.membership.suspect(branch->host);
  }
  startIfReady();
  pumpInput();
  finishIfComplete();
}

void UploadCall::addError(const BranchPtr& branch, const std::string& text) {
  branch->told = true;
  errors_.emplace_back(branch->host->name(), text);
}

void UploadCall::startIfReady() {
  const bool ready =
      std::ranges::all_of(branches_, [](const BranchPtr& branch) { return branch->settled; });
  if (!ready || wasEstablished() || finished() || open().empty()) {
    return;
  }
  context_.reactor.cancelTimer(std::exchange(ready_timer_, 0));
  Established message;
  message.stream = stream_->offer(context_.streams);
  established(std::move(message));
  watchForStall();
}

void UploadCall::clientCame(net::StreamPtr client) {
  client_ = std::move(client);
  // The merged stream writes to it; what comes from it is ours.
  client_->start([call = self<UploadCall>()] { call->pumpInput(); },
                 [call = self<UploadCall>()] { call->stream_->writable(); });
}

void UploadCall::pumpInput() {
  if (finished() || !client_ || input_ended_) {
    return;
  }
  const auto branches = open();
  const bool room =
      std::ranges::all_of(branches, [](const BranchPtr& branch) { return branch->input.empty(); });
  client_->enableRead(room);
  if (!room) {
    return;
  }
  std::array<char, kPiece> piece{};
  const auto size = client_->read(piece.data(), piece.size());
  if (!size && size.error().kind() == ErrorKind::Unavailable) {
    return;
  }
  if (!size) {
    cancel();
    return;
  }
  if (*size == 0) {
    input_ended_ = true;
    client_->enableRead(false);
  }
  for (const BranchPtr& branch : branches) {
    branch->input.append(piece.data(), *size);
    push(branch);
  }
}

void UploadCall::push(const BranchPtr& branch) {
  while (branch->stream && !branch->input.empty()) {
    const auto taken = branch->stream->write(branch->input);
    if (!taken) {
      branch->input.clear();  // it takes no more, but may have said why
      return;
    }
    if (*taken == 0) {
      return;
    }
    branch->moved = true;
    branch->input.erase(0, *taken);
  }
  if (branch->stream && input_ended_ && !std::exchange(branch->half_closed, true)) {
    branch->stream->shutdownWrite();
  }
}

void UploadCall::watchForStall() {
  stall_timer_ = context_.reactor.runAfter(kStall, [call = self<UploadCall>()] {
    call->stall_timer_ = 0;
    if (call->finished()) {
      return;
    }
    for (const BranchPtr& branch : call->open()) {
      if (!branch->input.empty() && !branch->moved && !call->finished()) {
        call->drop(branch, Error{ErrorKind::DeadlineExceeded, "takes no more of the archive"});
      }
      branch->moved = false;
    }
    if (!call->finished()) {
      call->watchForStall();
    }
  });
}

void UploadCall::readAnswer(const BranchPtr& branch) {
  if (!branch->stream || finished()) {
    return;
  }
  std::array<char, kPiece> piece{};
  const auto size = branch->stream->read(piece.data(), piece.size());
  if (!size && size.error().kind() == ErrorKind::Unavailable) {
    return;
  }
  if (!size || *size == 0) {
    const auto stream = std::exchange(branch->stream, nullptr);
    stream->close();
    if (!branch->output.empty()) {
      takeLine(branch, std::exchange(branch->output, ""));
    }
    if (!size) {
      drop(branch, size.error());
      return;
    }
    pumpInput();
    finishIfComplete();
    return;
  }
  branch->output.append(piece.data(), *size);
  for (std::size_t end = 0; (end = branch->output.find('\n')) != std::string::npos;) {
    const std::string line = branch->output.substr(0, end);
    branch->output.erase(0, end + 1);
    takeLine(branch, line);
  }
  if (branch->output.size() > kLongestLine) {
    drop(branch, Error{ErrorKind::Internal, "its answer cannot be read"});
  }
}

void UploadCall::takeLine(const BranchPtr& branch, const std::string& line) {
  auto document = json::parse(line);
  if (!document || !document->is_object()) {
    return;
  }
  if (const auto error = json::stringOr(*document, "error", ""); error && !error->empty()) {
    addError(branch, *error);
    return;
  }
  const auto id = json::stringOr(*document, "id", "");
  if (id && !id->empty()) {
    (*document)["id"] = branch->host->name() + " " + *id;
  } else if (!said_.insert(line).second) {
    return;  // "Loaded image: x" is said once
  }
  stream_->write(json::dump(*document) + "\n");
}

/// "node: text" lines; what every host says is said once.
std::string UploadCall::errorText() const {
  const bool same =
      errors_.size() == branches_.size() && std::ranges::all_of(errors_, [this](const auto& error) {
        return error.second == errors_.front().second;
      });
  if (same) {
    return errors_.front().second;
  }
  std::string text;
  for (const auto& [host, error] : errors_) {
    text += (text.empty() ? "" : "\n") + host + ": " + error;
  }
  return text;
}

void UploadCall::finishIfComplete() {
  const bool complete =
      std::ranges::all_of(branches_, [](const BranchPtr& branch) { return branch->over(); });
  if (!complete || finished()) {
    return;
  }
  if (!wasEstablished() || (stream_->silent() && errors_.empty())) {
    std::vector<HostAnswer> answers;
    for (const BranchPtr& branch : branches_) {
      answers.push_back({branch->host, *branch->result});
    }
    const bool refused =
        std::ranges::any_of(answers, [](const HostAnswer& answer) { return !answer.result; });
    stream_->finish();
    close(refused ? JobResult(mergedError(answers)) : JobResult(JobOutput{}));
    return;
  }
  for (const BranchPtr& branch : branches_) {
    if (!*branch->result && !branch->told) {
      addError(branch, branch->result->error().message());
    }
  }
  if (job_.name != "image_import") {  // its lines are the image's ID
    for (const std::string& reason : absent_) {
      stream_->write(json::dump({{"status", "Not done on " + reason}}) + "\n");
    }
  }
  if (!errors_.empty()) {
    const std::string text = errorText();
    stream_->write(json::dump({{"errorDetail", {{"message", text}}}, {"error", text}}) + "\n");
  }
  stream_->finish();
  close(JobOutput{});
}

void UploadCall::hostDown(const HostPtr& host) {
  ClusterCall::hostDown(host);
  for (const BranchPtr& branch : std::vector(branches_)) {
    if (branch->host == host && !branch->over() && !finished()) {
      drop(branch, Error{ErrorKind::Unavailable, host->error});
    }
  }
}

void UploadCall::cancel() {
  if (branches_.empty()) {
    ClusterCall::cancel();
    return;
  }
  stream_->abort();
  close(Error{ErrorKind::Unavailable, "the client is gone"});
}

void UploadCall::close(JobResult result) {
  if (finished()) {
    return;
  }
  const auto keep = shared_from_this();
  context_.reactor.cancelTimer(std::exchange(ready_timer_, 0));
  context_.reactor.cancelTimer(std::exchange(stall_timer_, 0));
  if (const auto client = std::exchange(client_, nullptr)) {
    client->enableRead(false);
  }
  for (const BranchPtr& branch : branches_) {
    if (const auto stream = std::exchange(branch->stream, nullptr)) {
      stream->abort();
    }
    if (!branch->result) {
      branch->host->engine->cancel(branch->job_id);
    }
  }
  finish(std::move(result));
  branches_.clear();
}

}  // namespace flotilla::gateway
