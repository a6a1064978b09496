#include "cli/commands/pull_display.h"

#include <unistd.h>

#include "cli/commands/command.h"

namespace flotilla::cli {

PullDisplay::PullDisplay(std::FILE* out)
    : out_(out), style_(::isatty(::fileno(out)) != 0 ? Style::Bars : Style::Lines) {}

void PullDisplay::take(std::string_view piece) {
  rest_ += piece;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
    const auto message = nlohmann::json::parse(rest_.substr(0, end), nullptr, false);
    rest_.erase(0, end + 1);
    if (message.is_object()) {
      show(message);
    }
  }
  std::fflush(out_);
}

void PullDisplay::show(const nlohmann::json& message) {
  if (const std::string error = text(message, "error"); !error.empty()) {
    error_ = error;
    return;
  }
  if (style_ == Style::Silent) {
    return;
  }
  const std::string id = text(message, "id");
  const std::string bar = text(message, "progress");
  std::string line = (id.empty() ? "" : id + ": ") + text(message, "status");
  const bool is_layer = message.contains("progressDetail");
  if (style_ == Style::Bars && is_layer) {
    rewrite(id, line + (bar.empty() ? "" : " " + bar));
  } else if (bar.empty()) {
    std::fprintf(out_, "%s\n", line.c_str());
    rows_.clear();
  }
}

/// The cursor rests below the last row.
void PullDisplay::rewrite(const std::string& id, const std::string& line) {
  const auto [row, is_new] = rows_.try_emplace(id, rows_.size());
  if (is_new) {
    std::fprintf(out_, "%s\n", line.c_str());
    return;
  }
  const std::size_t up = rows_.size() - row->second;
  std::fprintf(out_, "\x1b[%zuA\r\x1b[2K%s\r\x1b[%zuB", up, line.c_str(), up);
}

Result<void> PullDisplay::outcome() const {
  if (!error_.empty()) {
    return Error{ErrorKind::Internal, error_};
  }
  return {};
}

}  // namespace flotilla::cli
