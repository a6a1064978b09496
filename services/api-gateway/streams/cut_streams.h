#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "common/error/result.h"

namespace flotilla::gateway {

/// Execs whose stream broke on its way from another host before its end: the worker that relayed it
/// died, or the host was cut off. A hijacked connection has no word for that; its client sees an
/// end like any other and asks for the exit code next. That question is answered with what
/// happened, once. On the reactor's thread.
class CutStreams {
 public:
  void add(std::string exec_id, const Error& why) {
    if (cut_.size() == kMost) {
      cut_.pop_front();
    }
    cut_.emplace_back(std::move(exec_id), why.message());
  }

  /// Errors: Unavailable, once for each time the stream of this exec was cut.
  Result<void> take(std::string_view exec_id) {
    for (auto at = cut_.begin(); at != cut_.end(); ++at) {
      if (at->first == exec_id) {
        const std::string why = std::move(at->second);
        cut_.erase(at);
        return Error{ErrorKind::Unavailable, "the stream of exec " + std::string(exec_id) +
                                                 " was cut before its end: " + why};
      }
    }
    return {};
  }

 private:
  static constexpr std::size_t kMost = 256;  // whoever has not asked by then does not ask

  std::deque<std::pair<std::string, std::string>> cut_;
};

}  // namespace flotilla::gateway
