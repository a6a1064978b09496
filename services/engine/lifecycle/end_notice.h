#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "engine/lifecycle/notices.h"

namespace flotilla::engine {

/// While it lives: calls `end`, once, when `key` is told to have happened and `over` holds then (a
/// container that restarts by its policy has exited, but is not over). Nothing of it is awaited any
/// more when it goes. The functions run on the notices' pool; once that has ended this may outlive
/// `notices`. Thread-safe.
class EndNotice : public std::enable_shared_from_this<EndNotice> {
 public:
  static std::shared_ptr<EndNotice> await(Notices& notices, std::string key,
                                          std::function<bool()> over, std::function<void()> end);
  ~EndNotice();
  EndNotice(const EndNotice&) = delete;
  EndNotice& operator=(const EndNotice&) = delete;

 private:
  EndNotice(Notices& notices, std::string key, std::function<bool()> over,
            std::function<void()> end);
  void await();

  Notices& notices_;
  const std::weak_ptr<const void> life_;  // of notices_
  const std::string key_;
  const std::function<bool()> over_;
  const std::function<void()> end_;
  std::mutex mutex_;         // held over when(): a notice that comes at once finds its number known
  Notices::Id awaited_ = 0;  // guarded by mutex_
};

}  // namespace flotilla::engine
