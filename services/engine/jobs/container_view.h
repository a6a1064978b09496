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
  // Apart from each other: a list of a thousand new containers must not cost their inspection.
  struct Inspection {
    std::string head, tail, last;  // around ExecIDs and sizes
  };
  struct Summary {
    std::string head, middle, tail;  // around sizes and Status
  };
  template <class Document>
  class Cache {
   public:
    /// What is known of the record's revision, else what `render` says.
    template <class Render>
    std::shared_ptr<const Document> get(const ContainerRecord& record, Render render);

   private:
    struct Entry {
      std::uint64_t revision = 0;
      std::shared_ptr<const Document> document;
    };
    std::mutex mutex_;  // guards entries_
    std::unordered_map<std::string, Entry> entries_;
  };

  [[nodiscard]] Inspection renderInspection(const ContainerRecord& record) const;
  static Summary renderSummary(const ContainerRecord& record);

  const Paths& paths_;
  ImageSource& images_;
  Cache<Inspection> inspections_;
  Cache<Summary> summaries_;
};

/// "Up 5 seconds", "Exited (0) 3 minutes ago": the Status of `docker ps`.
std::string statusText(const ContainerState& state, std::int64_t now_ns);
/// "About an hour": a duration in Docker's words.
std::string humanDuration(std::int64_t nanoseconds);
/// The Command of `docker ps`, whole: program and arguments, those with spaces in quotes.
std::string commandText(const ContainerSpec& spec);
/// RFC 3339; the zero time of Go for 0.
std::string timeText(std::int64_t nanoseconds);

}  // namespace flotilla::engine
