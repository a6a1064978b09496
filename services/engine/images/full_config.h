#pragma once

#include <nlohmann/json.hpp>

namespace flotilla::engine {

/// Every member of Docker's container configuration in Docker's order, with its empty value where
/// `set` has none; those that Docker leaves out when empty only where they are set.
nlohmann::ordered_json fullConfig(const nlohmann::json& set);

}  // namespace flotilla::engine
