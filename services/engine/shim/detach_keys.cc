#include "engine/shim/detach_keys.h"

namespace flotilla::engine::shim {

bool DetachKeys::feed(std::string_view input, std::string& out) {
  for (const char byte : input) {
    if (byte != keys_[matched_] && matched_ > 0) {
      // As Docker's: a broken sequence is passed on whole, and may begin anew with this byte.
      out.append(keys_, 0, matched_);
      matched_ = 0;
    }
    if (byte != keys_[matched_]) {
      out += byte;
      continue;
    }
    if (++matched_ == keys_.size()) {
      matched_ = 0;
      return true;
    }
  }
  return false;
}

}  // namespace flotilla::engine::shim
