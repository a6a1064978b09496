#include "engine/lifecycle/container_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "common/os/atomic_file.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kLocalHosts =
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

Result<void> makeFolder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return sysError("mkdir " + path, errno);
  }
  return {};
}

Result<void> writeText(const std::string& path, const std::string& text) {
  // Written in place: a restarted container's bind mount must see the new content.
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return sysError("write " + path, errno);
  }
  return {};
}

bool isLoopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    text += ' ' + word;
  }
  return text;
}

}  // namespace

Result<void> makeContainerFolders(const Paths& paths, const std::string& id) {
  const std::string base = paths.container(id);
  FLO_TRY(makeFolder(base, 0710));
  FLO_TRY(makeFolder(base + "/upper", 0755));
  FLO_TRY(makeFolder(base + "/work", 0700));
  FLO_TRY(makeFolder(base + "/rootfs", 0755));
  return makeFolder(paths.bundle(id), 0700);
}

std::string hostsText(const ContainerSpec& spec, const std::string& address, const std::string& gateway) {
  std::string text(kLocalHosts);
  for (const std::string& extra : spec.host.extra_hosts) {
    const std::size_t colon = extra.find(':');
    if (colon != std::string::npos) {
      std::string to = extra.substr(colon + 1);
      text += (to == "host-gateway" ? gateway : to) + "\t" + extra.substr(0, colon) + "\n";
    }
  }
  if (!address.empty()) {
    const std::string& host = spec.config.hostname;
    const std::string& domain = spec.config.domainname;
    text += address + "\t" + (domain.empty() ? host : host + "." + domain + " " + host) + "\n";
  }
  return text;
}

std::string resolvText(const ContainerSpec& spec, const std::string& host_text) {
  std::vector<std::string> servers = spec.host.dns;
  std::vector<std::string> search = spec.host.dns_search;
  std::vector<std::string> options = spec.host.dns_options;
  std::istringstream lines(host_text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    std::vector<std::string> values;
    for (std::string value; words >> value;) {
      values.push_back(std::move(value));
    }
    if (key == "nameserver" && spec.host.dns.empty() && !values.empty() && !isLoopback(values[0])) {
      servers.push_back(values[0]);
    } else if ((key == "search" || key == "domain") && spec.host.dns_search.empty()) {
      search = values;
    } else if (key == "options" && spec.host.dns_options.empty()) {
      options = values;
    }
  }
  if (servers.empty()) {
    servers = {"8.8.8.8", "8.8.4.4"};
  }
  std::string text;
  for (const auto& server : servers) {
    text += "nameserver " + server + "\n";
  }
  if (!search.empty() && !(search.size() == 1 && search[0] == ".")) {
    text += "search" + joined(search) + "\n";
  }
  if (!options.empty()) {
    text += "options" + joined(options) + "\n";
  }
  return text;
}

Result<void> writeNetworkFiles(const Paths& paths, const ContainerRecord& record,
                               const std::string& address, const std::string& gateway) {
  const std::string base = paths.container(record.id);
  const ContainerSpec& spec = *record.spec;
  const std::string& host = spec.config.hostname;
  const std::string& domain = spec.config.domainname;
  FLO_TRY(writeText(base + "/hostname", (domain.empty() ? host : host + "." + domain) + "\n"));
  const auto host_resolv = readFile("/etc/resolv.conf");
  if (spec.host.network_mode == "host") {
    const auto hosts = readFile("/etc/hosts");
    FLO_TRY(writeText(base + "/hosts", hosts ? *hosts : hostsText(spec, "", "")));
    if (spec.host.dns.empty()) {
      return writeText(base + "/resolv.conf", host_resolv ? *host_resolv : "");
    }
  } else {
    FLO_TRY(writeText(base + "/hosts", hostsText(spec, address, gateway)));
  }
  return writeText(base + "/resolv.conf", resolvText(spec, host_resolv ? *host_resolv : ""));
}

}  // namespace flotilla::engine
