#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

struct Volume {
  std::string name, driver = "local", mountpoint, created_at;
  std::map<std::string, std::string> labels, options;
  bool anonymous = false;
};

/// Named volumes of one engine, under <root>/volumes/<name>/_data. Thread-safe.
class VolumeStore {
 public:
  virtual ~VolumeStore() = default;
  /// The volume of that name, made if absent ("" = a new anonymous one with a 64-hex name).
  /// Errors: InvalidArgument for names Docker refuses, in its words.
  virtual Result<Volume> ensure(const std::string& name) = 0;
  virtual std::optional<Volume> find(const std::string& name) = 0;
  virtual Result<std::vector<Volume>> list() = 0;
  /// Errors: NotFound "get <name>: no such volume". In-use checks are the caller's.
  virtual Result<void> remove(const std::string& name) = 0;
  /// Copies `source` (a path inside the container's image, already resolved) into a volume that is
  /// still empty, with owners, modes and times: what Docker does on first use.
  virtual Result<void> copyUp(const std::string& name, int source_dir_fd) = 0;
};

}  // namespace flotilla::engine
