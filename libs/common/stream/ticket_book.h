#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/os/mutex.h"
#include "common/os/random.h"

namespace flotilla {

/// One-time tickets (128 random bits) and what each admits to. Thread-safe.
template <typename Admission>
class TicketBook {
 public:
  static constexpr std::size_t kDigits = 32;

  std::string issue(Admission admission) {
    std::string ticket = randomHex(kDigits / 2);
    MutexLock lock(mutex_);
    out_.push_back({ticket, std::move(admission)});
    return ticket;
  }

  /// What `ticket` admits to; the ticket is void from now on. Takes the same time whichever ticket
  /// matches and however much of it.
  std::optional<Admission> take(std::string_view ticket) {
    MutexLock lock(mutex_);
    std::size_t found = out_.size();
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (ticket.size() == kDigits &&
          CRYPTO_memcmp(out_[i].ticket.data(), ticket.data(), kDigits) == 0) {
        found = i;
      }
    }
    if (found == out_.size()) {
      return std::nullopt;
    }
    Admission admission = std::move(out_[found].admission);
    out_[found] = std::move(out_.back());
    out_.pop_back();
    return admission;
  }

 private:
  struct Out {
    std::string ticket;
    Admission admission;
  };
  Mutex mutex_;
  std::vector<Out> out_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla
