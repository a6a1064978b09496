#include "cli/client/detach_keys.h"

namespace flotilla::cli {
namespace {

/// The control character of "ctrl-x"; 0 is "ctrl-@". -1 when there is none.
int controlOf(char key) {
  if (key >= 'a' && key <= 'z') {
    return key - 'a' + 1;
  }
  constexpr std::string_view kOthers = "[\\]^_";
  if (const auto at = kOthers.find(key); at != std::string_view::npos) {
    return static_cast<int>(at) + 27;
  }
  return key == '@' ? 0 : -1;
}

}  // namespace

Result<DetachKeys> DetachKeys::parse(std::string_view text) {
  constexpr std::string_view kControl = "ctrl-";
  std::string_view rest = text.empty() ? kDefault : text;
  std::string sequence;
  for (;;) {
    const auto comma = rest.find(',');
    const auto key = rest.substr(0, comma);
    int code = key.size() == 1 ? static_cast<unsigned char>(key[0]) : -1;
    if (key.size() == kControl.size() + 1 && key.starts_with(kControl)) {
      code = controlOf(key.back());
    }
    if (code < 0) {
      return Error(ErrorKind::InvalidArgument, "Unknown character: '" + std::string(key) + "'");
    }
    sequence += static_cast<char>(code);
    if (comma == std::string_view::npos) {
      return DetachKeys(std::move(sequence));
    }
    rest.remove_prefix(comma + 1);
  }
}

bool DetachKeys::filter(std::string_view typed, std::string& forward) {
  for (const char key : typed) {
    if (key == sequence_[matched_]) {
      if (++matched_ == sequence_.size()) {
        matched_ = 0;
        return true;
      }
      continue;
    }
    forward.append(sequence_, 0, matched_);
    matched_ = key == sequence_[0] ? 1 : 0;
    if (matched_ == 0) {
      forward += key;
    }
  }
  return false;
}

}  // namespace flotilla::cli
