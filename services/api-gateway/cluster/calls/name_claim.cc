#include "api-gateway/cluster/calls/name_claim.h"

#include <utility>

namespace flotilla::gateway {
namespace {

using Done = std::function<void(Result<NameClaimPtr>)>;

/// Learns who has the name from the hosts' answers; "" when nobody but `id` has it.
std::string holderOf(ClusterContext& context, const std::string& name, const std::string& id,
                     const std::vector<HostAnswer>& answers) {
  for (const HostAnswer& answer : answers) {
    auto report = answer.result ? parseEngineReport(answer.result->body)
                                : Result<EngineReport>(answer.result.error());
    if (!report || !report->containers) {
      continue;
    }
    for (ContainerRow& row : *report->containers) {
      if (row.name == name && row.id != id) {  // not one whose id begins with the name
        const std::string holder = row.id;
        context.index.put(answer.host, std::move(row));
        return holder;
      }
    }
  }
  return "";
}

std::string holderKnown(const ContainerIndex& index, const std::string& name,
                        const std::string& id) {
  for (const std::string& holder : index.named(name)) {
    if (holder != id) {
      return holder;
    }
  }
  return "";
}

}  // namespace

NameClaim::~NameClaim() {
  context_.reactor.cancelTimer(renewal_);
  context_.directory.releaseName(name_, owner_);
}

void NameClaim::renewLater() {
  const auto& lifetime = context_.times.reservation;
  renewal_ = context_.reactor.runAfter(lifetime / 3, [this, lifetime] {
    // One that is lost all the same is found out by the host: it has each name once.
    context_.directory.reserveName(name_, owner_, lifetime, [](const Result<void>&) {});
    renewLater();
  });
}

Error nameConflict(const std::string& name, const std::string& holder) {
  return Error{ErrorKind::Conflict,
               "Conflict. The container name \"/" + name + "\" is already in use by container \"" +
                   holder +
                   "\". You have to remove (or rename) that container to be able to "
                   "reuse that name."};
}

void claimName(ClusterContext& context, const std::shared_ptr<ClusterCall>& call,
               const std::string& name, const std::string& id, Done done) {
  if (const std::string holder = holderKnown(context.index, name, id); !holder.empty()) {
    done(nameConflict(name, holder));
    return;
  }
  EngineDirectory& directory = context.directory;  // outlives the context
  directory.reserveName(
      name, id, context.times.reservation,
      [&context, &directory, call, name, id, done = std::move(done)](Result<void> reserved) {
        if (call->finished()) {
          if (reserved) {
            directory.releaseName(name, id);
          }
          return;
        }
        if (!reserved) {
          done(reserved.error().kind() == ErrorKind::AlreadyExists
                   ? nameConflict(name, reserved.error().message())
                   : reserved.error());
          return;
        }
        auto claim = std::make_shared<NameClaimPtr>(
            std::make_unique<NameClaim>(context, name, id));  // std::function copies
        Job question;
        question.name = "engine_report";
        question.args = {name};
        const auto patience = [&context](const Host& host) {
          // A silent host must not hold up the others' containers: the index knows its names.
          return std::min(context.times.doubted, context.deadline()(host));
        };
        call->ask(context.membership.healthy(), question, patience,
                  [&context, name, id, claim, done](const std::vector<HostAnswer>& answers) {
                    const std::string holder = holderOf(context, name, id, answers);
                    if (holder.empty()) {
                      done(std::move(*claim));
                    } else {
                      done(nameConflict(name, holder));
                    }
                  });
      });
}

}  // namespace flotilla::gateway
