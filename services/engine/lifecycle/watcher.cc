#include "engine/lifecycle/watcher.h"

#include "common/log/log.h"

namespace flotilla::engine {

Result<void> Watcher::watch(const std::string& id) {
  const auto consume = [this, id] {
    if (const auto consumed = consumer_.consume(id); !consumed) {
      log::error("cannot store a container's transitions",
                 {{"container", id}, {"error", consumed.error().message()}});
    }
  };
  return parts_.runtime.watch(
      id,
      [this, consume] {
        if (!parts_.work.post(consume)) {
          consume();
        }
      },
      [this, id, consume] {
        const auto bury = [this, id, consume] {
          consume();
          on_gone_(id);
        };
        if (!parts_.work.post(bury)) {
          bury();
        }
      });
}

}  // namespace flotilla::engine
