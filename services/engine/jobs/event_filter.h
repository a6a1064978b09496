#pragma once

#include <string>
#include <string_view>

#include "common/model/list_filters.h"
#include "engine/store/event_log.h"

namespace flotilla::engine {

/// The filters of GET /events: values of one name are alternatives, labels must all match, unknown
/// names are ignored, as in dockerd.
class EventFilter {
 public:
  static Result<EventFilter> parse(std::string_view text);
  [[nodiscard]] bool matches(const Event& event) const;

 private:
  model::ListFilters filters_;
};

/// One line of the stream, with its newline.
std::string eventJson(const Event& event);

}  // namespace flotilla::engine
