#include "engine/network/firewall.h"

#include <nftables/libnftables.h>

#include <nlohmann/json.hpp>

namespace flotilla::engine {
namespace {

using nlohmann::json;

bool dropsForwarded(const json& chain) {
  const auto is = [&](const char* member, const char* value) {
    const auto found = chain.find(member);
    return found != chain.end() && *found == value;
  };
  return is("hook", "forward") && is("policy", "drop") && !is("family", "bridge") &&
         !is("family", "ip6");
}

std::string text(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

void Firewall::Release::operator()(nft_ctx* context) const { ::nft_ctx_free(context); }

Result<std::unique_ptr<Firewall>> Firewall::create(FirewallSpec spec) {
  Context context(::nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context || ::nft_ctx_buffer_error(context.get()) != 0 ||
      ::nft_ctx_buffer_output(context.get()) != 0) {
    return Error{ErrorKind::Internal, "nftables: no context"};
  }
  return std::unique_ptr<Firewall>(new Firewall(std::move(spec), std::move(context)));
}

Result<void> Firewall::run(const std::string& commands) {
  if (::nft_run_cmd_from_buffer(context_.get(), commands.c_str()) == 0) {
    return {};
  }
  std::string reason = ::nft_ctx_get_error_buffer(context_.get());
  reason.erase(reason.find_last_not_of('\n') + 1);
  return Error{ErrorKind::Internal, "nftables: " + reason};
}

Result<void> Firewall::rebuild(const CurrentPorts& current) {
  const MutexLock lock(mutex_);
  FLO_TRY_ASSIGN(const auto ports, current());
  return run(tableText(spec_, ports));
}

Result<void> Firewall::publish(const std::vector<PublishedPort>& ports) {
  const auto commands = publishText(spec_, ports);
  if (commands.empty()) {
    return {};
  }
  const MutexLock lock(mutex_);
  return run(commands);
}

Result<void> Firewall::withdraw(const std::vector<PublishedPort>& ports) {
  const auto commands = withdrawText(spec_, ports);
  if (commands.empty()) {
    return {};
  }
  const MutexLock lock(mutex_);
  return run(commands);
}

std::vector<std::string> Firewall::foreignDrops() {
  std::string listing;
  {
    const MutexLock lock(mutex_);
    const unsigned flags = ::nft_ctx_output_get_flags(context_.get());
    ::nft_ctx_output_set_flags(context_.get(), flags | NFT_CTX_OUTPUT_JSON);
    if (run("list chains")) {
      listing = ::nft_ctx_get_output_buffer(context_.get());
    }
    ::nft_ctx_output_set_flags(context_.get(), flags);
  }
  std::vector<std::string> found;
  const auto document = json::parse(listing, nullptr, false);
  if (!document.is_object() || !document.contains("nftables") || !document["nftables"].is_array()) {
    return found;
  }
  for (const auto& entry : document["nftables"]) {
    const auto chain = entry.is_object() ? entry.find("chain") : entry.end();
    if (chain == entry.end() || !chain->is_object() || !dropsForwarded(*chain) ||
        text(*chain, "table") == spec_.table) {
      continue;
    }
    const auto where =
        text(*chain, "family") + " " + text(*chain, "table") + " " + text(*chain, "name");
    found.push_back(
        "chain " + where +
        " drops forwarded packets: containers are cut off until it accepts them (nft insert rule " +
        where + " iifname " + spec_.bridge + " accept; nft insert rule " + where + " oifname " +
        spec_.bridge + " accept)");
  }
  return found;
}

}  // namespace flotilla::engine
