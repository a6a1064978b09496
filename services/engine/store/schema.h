#pragma once

#include <vector>

#include "engine/store/database.h"

namespace flotilla::engine {

/// Schema of containers, execs, events, waiters, tombstones and jobs ("core"), for Database::open.
std::vector<Migration> coreMigrations();

}  // namespace flotilla::engine
