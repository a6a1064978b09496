// flotilla swarm create, list, join: clusters by a discovery service, as Docker Swarm classic's.
#include <cstdio>
#include <memory>
#include <optional>
#include <random>

#include "cli/commands/command.h"
#include "cli/format/units.h"
#include "common/discovery/discovery.h"
#include "common/event/reactor.h"

namespace flotilla::cli {
namespace {

struct SwarmOptions {
  std::string service, discovery, advertise;
  std::string timeout = "10s", heartbeat = "60s", ttl = "180s", delay = "0s";
  std::string ca_file, cert_file, key_file;

  [[nodiscard]] TokenOptions token() const {
    return {.ca_file = ca_file, .cert_file = cert_file, .key_file = key_file};
  }
};

Result<std::chrono::milliseconds> span(const std::string& text, const std::string& flag) {
  const auto parsed = parseSpan(text);
  return parsed ? Result<std::chrono::milliseconds>(
                      std::chrono::milliseconds(static_cast<std::int64_t>(*parsed * 1000)))
                : Error{ErrorKind::InvalidArgument,
                        "invalid --" + flag + ": time: invalid duration \"" + text + "\""};
}

Result<void> requireDiscovery(const SwarmOptions& options, const std::string& what,
                              const std::string& verb) {
  if (options.discovery.empty()) {
    return Error{ErrorKind::InvalidArgument,
                 "discovery required to " + what + ". See 'flotilla swarm " + verb + " --help'."};
  }
  return {};
}

Result<int> create(const SwarmOptions& options) {
  FLO_TRY_ASSIGN(const std::string token, TokenClient::create(options.service, options.token()));
  std::printf("%s\n", token.c_str());
  return 0;
}

Result<int> list(const SwarmOptions& options) {
  FLO_TRY(requireDiscovery(options, "list a cluster", "list"));
  FLO_TRY_ASSIGN(const auto timeout, span(options.timeout, "timeout"));
  if (timeout.count() <= 0) {
    return Error{ErrorKind::InvalidArgument, "--timeout should be a positive number"};
  }
  FLO_TRY_ASSIGN(const auto reactor, Reactor::create());
  FLO_TRY_ASSIGN(
      const auto source,
      makeDiscovery(options.discovery, *reactor, {.heartbeat = timeout, .token = options.token()}));
  std::optional<Result<DiscoveryEntries>> found;
  const auto watch = source->watch([&](Result<DiscoveryEntries> entries) {
    if (!found) {
      found.emplace(std::move(entries));
    }
    reactor->stop();
  });
  if (!found) {
    reactor->runAfter(timeout, [&] { reactor->stop(); });
    reactor->run();
  }
  if (!found) {
    return Error{ErrorKind::DeadlineExceeded, "Timed out"};
  }
  FLO_TRY(*found);
  for (const std::string& entry : **found) {
    std::printf("%s\n", entry.c_str());
  }
  return 0;
}

Result<void> checkJoin(const SwarmOptions& options, std::chrono::milliseconds heartbeat,
                       std::chrono::milliseconds ttl, std::chrono::milliseconds delay) {
  if (options.advertise.empty()) {
    return Error{ErrorKind::InvalidArgument, "missing mandatory --advertise flag"};
  }
  if (!checkEntry(options.advertise)) {
    return Error{ErrorKind::InvalidArgument,
                 "--advertise should be of the form ip:port or hostname:port"};
  }
  if (heartbeat < std::chrono::seconds(1)) {
    return Error{ErrorKind::InvalidArgument, "--heartbeat should be at least one second"};
  }
  if (ttl <= heartbeat) {
    return Error{ErrorKind::InvalidArgument,
                 "--ttl must be strictly superior to the heartbeat value"};
  }
  if (delay.count() < 0) {
    return Error{ErrorKind::InvalidArgument, "--delay should not be a negative number"};
  }
  return {};
}

/// Registers, again and again, until the process is told to end.
Result<int> join(const SwarmOptions& options) {
  FLO_TRY(requireDiscovery(options, "join a cluster", "join"));
  FLO_TRY_ASSIGN(const auto heartbeat, span(options.heartbeat, "heartbeat"));
  FLO_TRY_ASSIGN(const auto ttl, span(options.ttl, "ttl"));
  FLO_TRY_ASSIGN(const auto delay, span(options.delay, "delay"));
  FLO_TRY(checkJoin(options, heartbeat, ttl, delay));
  FLO_TRY_ASSIGN(const auto reactor, Reactor::create());
  const auto report = [](const Error& error) { printError(error.message()); };
  FLO_TRY_ASSIGN(
      const auto source,
      makeDiscovery(options.discovery, *reactor,
                    {.heartbeat = heartbeat, .token = options.token(), .announce_failed = report}));
  std::function<void()> announce = [&] {
    std::printf("Registering on the discovery service every %s: %s\n", options.heartbeat.c_str(),
                options.advertise.c_str());
    std::fflush(stdout);
    if (const auto told = source->announce(options.advertise,
                                           std::chrono::duration_cast<std::chrono::seconds>(ttl));
        !told) {
      report(told.error());
    }
    reactor->runAfter(heartbeat, announce);
  };
  std::minstd_rand random{std::random_device{}()};
  reactor->runAfter(
      std::chrono::milliseconds(
          delay.count() > 0 ? random() % static_cast<unsigned long>(delay.count()) : 0),
      announce);
  reactor->run();  // a signal ends the process: entries go by their time to live
  return 0;
}

}  // namespace

void addSwarm(CLI::App& app, Chosen& chosen) {
  auto* swarm = app.add_subcommand("swarm", "Clusters by a discovery service");
  swarm->require_subcommand(1);
  auto options = std::make_shared<SwarmOptions>();
  const auto declareTls = [&options](CLI::App* verb) {
    verb->add_option("--tlscacert", options->ca_file,
                     "Trust only a discovery service signed by this CA");
    verb->add_option("--tlscert", options->cert_file, "Certificate shown to it");
    verb->add_option("--tlskey", options->key_file, "Its key");
  };
  auto* create_verb = swarm->add_subcommand("create", "Create a cluster and print its token");
  create_verb->add_option("--service", options->service, "URL of the discovery service, with /v1")
      ->envname("FLOTILLA_DISCOVERY_URL")
      ->required();
  auto* list_verb = swarm->add_subcommand("list", "List the hosts of a cluster");
  list_verb->add_option("--timeout", options->timeout, "How long to wait for the list");
  auto* join_verb = swarm->add_subcommand("join", "Announce a host to a cluster, again and again");
  join_verb->add_option("--advertise,--addr", options->advertise, "Address of the host's engine")
      ->envname("SWARM_ADVERTISE");
  join_verb->add_option("--heartbeat", options->heartbeat, "Period between announcements");
  join_verb->add_option("--ttl", options->ttl, "How long an announcement holds");
  join_verb->add_option("--delay", options->delay, "Begin after a random time below this");
  for (auto* verb : {list_verb, join_verb}) {
    verb->add_option("discovery", options->discovery,
                     "token://<host>/<base>/<token>, file://, nodes://")
        ->envname("SWARM_DISCOVERY");
  }
  for (auto* verb : {create_verb, list_verb, join_verb}) {
    declareTls(verb);
  }
  create_verb->callback(
      [options, &chosen] { chosen.action = [options](ApiClient&) { return create(*options); }; });
  list_verb->callback(
      [options, &chosen] { chosen.action = [options](ApiClient&) { return list(*options); }; });
  join_verb->callback(
      [options, &chosen] { chosen.action = [options](ApiClient&) { return join(*options); }; });
}

}  // namespace flotilla::cli
