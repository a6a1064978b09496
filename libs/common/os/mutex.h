#pragma once

#include <condition_variable>
#include <mutex>

/// Clang's thread-safety annotations (-Wthread-safety); nothing elsewhere.
#if defined(__clang__)
#define FLO_THREAD_ATTRIBUTE_(x) __attribute__((x))
#else
#define FLO_THREAD_ATTRIBUTE_(x)
#endif
#define FLO_CAPABILITY(name) FLO_THREAD_ATTRIBUTE_(capability(name))
#define FLO_SCOPED_CAPABILITY FLO_THREAD_ATTRIBUTE_(scoped_lockable)
#define FLO_GUARDED_BY(mutex) FLO_THREAD_ATTRIBUTE_(guarded_by(mutex))
#define FLO_REQUIRES(...) FLO_THREAD_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define FLO_ACQUIRE(...) FLO_THREAD_ATTRIBUTE_(acquire_capability(__VA_ARGS__))
#define FLO_RELEASE(...) FLO_THREAD_ATTRIBUTE_(release_capability(__VA_ARGS__))
#define FLO_EXCLUDES(...) FLO_THREAD_ATTRIBUTE_(locks_excluded(__VA_ARGS__))

namespace flotilla {

/// A std::mutex that the compiler can check.
class FLO_CAPABILITY("mutex") Mutex {
 public:
  void lock() FLO_ACQUIRE() { mutex_.lock(); }
  void unlock() FLO_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class FLO_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) FLO_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() FLO_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits take the Mutex that the caller holds.
using CondVar = std::condition_variable_any;

}  // namespace flotilla
