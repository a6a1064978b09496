#pragma once

#include <memory>

#include "common/net/address.h"
#include "engine/images/pull/registry_source.h"

namespace flotilla::engine {

/// Registries through the registry proxy at `address`, which need not run yet.
std::unique_ptr<RegistrySource> makeProxySource(net::Address address);

}  // namespace flotilla::engine
