#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/images/image_store.h"
#include "engine/store/container_record.h"
#include "engine/store/paths.h"

namespace flotilla::engine {

struct DiskUse {
  std::int64_t writable = 0, root = 0;  // bytes
};

/// The documents of containers: GET /containers/{id}/json and the elements of GET /containers/json.
/// What does not change until the record does is rendered once and kept. Thread-safe.
class ContainerView {
 public:
  ContainerView(const Paths& paths, ImageSource& images) : paths_(paths), images_(images) {}

  std::string inspect(const ContainerRecord& record, const std::vector<std::string>& exec_ids,
                      const std::optional<DiskUse>& size);
  /// Appends the element to `out`.
  void appendSummary(std::string& out, const ContainerRecord& record, std::int64_t now_ns,
                     const std::optional<DiskUse>& size);

 private:
  struct Rendered {
    std::uint64_t revision = 0;
    std::string inspect_head, inspect_tail, inspect_last;    // around ExecIDs and sizes
    std::string summary_head, summary_middle, summary_tail;  // around sizes and Status
  };
  using RenderedPtr = std::shared_ptr<const Rendered>;

  RenderedPtr rendered(const ContainerRecord& record);
  [[nodiscard]] RenderedPtr render(const ContainerRecord& record) const;
  void renderInspect(const ContainerRecord& record, Rendered& into) const;
  static void renderSummary(const ContainerRecord& record, Rendered& into);

  const Paths& paths_;
  ImageSource& images_;
  std::mutex mutex_;  // guards cache_
  std::unordered_map<std::string, RenderedPtr> cache_;
};

/// "Up 5 seconds", "Exited (0) 3 minutes ago": the Status of `docker ps`.
std::string statusText(const ContainerState& state, std::int64_t now_ns);
/// "About an hour": a duration in Docker's words.
std::string humanDuration(std::int64_t nanoseconds);
/// RFC 3339; the zero time of Go for 0.
std::string timeText(std::int64_t nanoseconds);

}  // namespace flotilla::engine
