#include "engine/images/pull/pull_progress.h"

#include "common/json/json.h"

namespace flotilla::engine {

void PullProgress::write(const std::string& text) {
  MutexLock lock(mutex_);
  (void)stream_.write(text);
}

void PullProgress::header(std::string_view status, std::string_view id) {
  write("{\"status\":" + json::quote(status) + ",\"id\":" + json::quote(id) + "}\r\n");
}

void PullProgress::line(std::string_view status) { write(statusLine(status)); }

void PullProgress::step(std::string_view status, const std::string& id) {
  write("{\"status\":" + json::quote(status) + ",\"progressDetail\":{},\"id\":" + json::quote(id) +
        "}\r\n");
}

void PullProgress::bar(std::string_view status, const std::string& id, std::uint64_t current,
                       std::uint64_t total) {
  write(progressLine(status, id, current, total));
}

}  // namespace flotilla::engine
