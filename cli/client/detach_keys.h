#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::cli {

/// Finds the key sequence that detaches a terminal ("ctrl-p,ctrl-q") in what the user types. Keys
/// of a sequence begun but not finished are held back and delivered when it turns out to be none.
class DetachKeys {
 public:
  static constexpr std::string_view kDefault = "ctrl-p,ctrl-q";

  /// Errors: InvalidArgument for keys that do not exist. An empty text means the default.
  static Result<DetachKeys> parse(std::string_view text);

  /// True when the sequence was completed; `forward` gets what belongs to the container.
  bool filter(std::string_view typed, std::string& forward);

 private:
  explicit DetachKeys(std::string sequence) : sequence_(std::move(sequence)) {}
  std::string sequence_;
  std::size_t matched_ = 0;
};

}  // namespace flotilla::cli
