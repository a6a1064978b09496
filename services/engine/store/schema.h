#pragma once

#include <vector>

#include "engine/store/database.h"

namespace flotilla::engine {

/// Schema of containers, execs, events, waiters, tombstones and jobs ("core", "specs"), for
/// Database::open.
std::vector<Migration> coreMigrations();

}  // namespace flotilla::engine
