#pragma once

#include <functional>
#include <string>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

/// Follows the shims of this host: their journals are consumed as they grow and their leftovers
/// buried when they leave. Thread-safe.
class Watcher {
 public:
  Watcher(LifecycleParts& parts, JournalConsumer& consumer) : parts_(parts), consumer_(consumer) {}

  /// What to do when a shim left; on the work pool.
  void setOnGone(std::function<void(const std::string& id)> on_gone) {
    on_gone_ = std::move(on_gone);
  }

  /// Errors: Unavailable when no shim lives.
  Result<void> watch(const std::string& id);

 private:
  LifecycleParts& parts_;
  JournalConsumer& consumer_;
  std::function<void(const std::string& id)> on_gone_;
};

}  // namespace flotilla::engine
