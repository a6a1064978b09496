#include "engine/network/firewall_text.h"

#include <string_view>

namespace flotilla::engine {
namespace {

constexpr std::string_view kAnyAddress = "0.0.0.0";

void replaceEach(std::string& text, std::string_view what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

struct Element {
  std::string_view map;
  std::string key, value;
};

std::vector<Element> elementsOf(const std::vector<PublishedPort>& ports) {
  std::vector<Element> elements;
  for (const auto& [binding, container] : ports) {
    if (isIpv6(binding.host_ip)) {
      continue;
    }
    const auto port = std::to_string(binding.host_port);
    const auto value = container.text() + " . " + std::to_string(binding.container_port);
    if (binding.host_ip == kAnyAddress) {
      elements.push_back({"ports_any", binding.protocol + " . " + port, value});
    } else {
      elements.push_back(
          {"ports", binding.protocol + " . " + binding.host_ip + " . " + port, value});
    }
  }
  return elements;
}

std::string commands(std::string_view verb, const FirewallSpec& spec,
                     const std::vector<Element>& elements) {
  std::string text;
  for (const std::string_view map : {"ports", "ports_any"}) {
    std::string list;
    for (const auto& element : elements) {
      if (element.map == map) {
        list += (list.empty() ? "" : ", ") + element.key + " : " + element.value;
      }
    }
    if (!list.empty()) {
      text.append(verb).append(" element inet ").append(spec.table).append(" ").append(map);
      text += " { " + list + " }\n";
    }
  }
  return text;
}

// Chains, in the order a packet meets them:
// - guard: with route_localnet on the bridge a container's packet to 127.0.0.1 would reach the
//   host's loopback; and nobody but the host and the bridge may address a container directly.
// - to_published, from_host: a published port of a local address becomes the container's.
// - source: containers leave under the host's address; so do the host's loopback and containers
//   that reach a published port through the host, or their answers would bypass the translation.
// - forward: accept is final for this table only; another table that drops is named by warnings().
constexpr std::string_view kTable = R"(table inet @table {
  map ports { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
  map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
    iifname != { "lo", "@bridge" } ip daddr @subnet ip daddr != @gateway drop
  }
  chain to_published {
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump published
  }
  chain from_host {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump published
  }
  chain published {
    dnat ip to meta l4proto . ip daddr . th dport map @ports
    dnat ip to meta l4proto . th dport map @ports_any
  }
  chain source {
    type nat hook postrouting priority 100; policy accept;
    ip saddr @subnet oifname != "@bridge" masquerade
    oifname "@bridge" ip saddr 127.0.0.0/8 masquerade
    oifname "@bridge" ip saddr @subnet ct status dnat masquerade
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    oifname "@bridge" ct state established,related accept
    oifname "@bridge" iifname "@bridge" accept
    oifname "@bridge" ct status dnat accept
    oifname "@bridge" drop
  }
}
)";

}  // namespace

std::string publishText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports) {
  return commands("add", spec, elementsOf(ports));
}

std::string withdrawText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports) {
  const auto elements = elementsOf(ports);
  return commands("add", spec, elements) + commands("delete", spec, elements);
}

std::string tableText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports) {
  std::string chains(kTable);
  replaceEach(chains, "@table", spec.table);
  replaceEach(chains, "@bridge", spec.bridge);
  replaceEach(chains, "@subnet", spec.gateway.network().text());
  replaceEach(chains, "@gateway", spec.gateway.address.text());
  // Adding first makes the deletion succeed on a host without the table.
  return "add table inet " + spec.table + "\ndelete table inet " + spec.table + "\n" + chains +
         publishText(spec, ports);
}

}  // namespace flotilla::engine
