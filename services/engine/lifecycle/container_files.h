#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/store/container_record.h"
#include "engine/store/paths.h"

namespace flotilla::engine {

/// Makes the folders of a container under <root> (decisions: paths.h).
Result<void> makeContainerFolders(const Paths& paths, const std::string& id);

/// Writes hostname, hosts and resolv.conf as dockerd does for the default bridge, `host` and
/// `none`. `address` is the container's, "" when it has none.
Result<void> writeNetworkFiles(const Paths& paths, const ContainerRecord& record,
                               const std::string& address, const std::string& gateway);

/// The text of /etc/hosts.
std::string hostsText(const ContainerSpec& spec, const std::string& address,
                      const std::string& gateway);
/// The text of /etc/resolv.conf from the host's: loopback servers are left out, the container
/// cannot reach them; with none left, public ones.
std::string resolvText(const ContainerSpec& spec, const std::string& host_text);

}  // namespace flotilla::engine
