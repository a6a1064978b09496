#pragma once

#include <string>
#include <string_view>

namespace flotilla::engine::shim {

/// Finds a sequence of keys in terminal input that may arrive in pieces. Bytes that could still be
/// the start of the sequence are held back, and given out when they turn out not to be.
class DetachKeys {
 public:
  /// Empty `keys`: ctrl-p ctrl-q.
  explicit DetachKeys(std::string keys) : keys_(keys.empty() ? "\x10\x11" : std::move(keys)) {}

  /// Appends to `out` what goes on to the process. True when the sequence is complete; what follows
  /// it is dropped.
  bool feed(std::string_view input, std::string& out);

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

}  // namespace flotilla::engine::shim
