#include "engine/jobs/recent_answers.h"

#include <utility>

namespace flotilla::engine {
namespace {

constexpr std::size_t kMostKept = 64;  // of some kilobytes each

}  // namespace

std::optional<std::string> RecentAnswers::find(const std::string& question) const {
  const auto version = database_.knownVersion();
  std::shared_ptr<const std::string> answer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(question);
    if (version && *version == version_ && found != answers_.end()) {
      answer = found->second;
    }
  }
  return answer ? std::optional(*answer) : std::nullopt;
}

void RecentAnswers::keep(const std::string& question, std::uint64_t version, std::string answer) {
  if (database_.knownVersion() != version) {
    return;  // nobody would ever be given it
  }
  auto shared = std::make_shared<const std::string>(std::move(answer));
  const std::lock_guard lock(mutex_);
  if (version_ != version || answers_.size() >= kMostKept) {
    answers_.clear();
    version_ = version;
  }
  answers_[question] = std::move(shared);
}

}  // namespace flotilla::engine
