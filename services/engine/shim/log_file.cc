#include "engine/shim/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace flotilla::engine::shim {
namespace {

constexpr std::size_t kFlushAt = 128 * 1024;

}  // namespace

LogFile::LogFile(LogConfig config)
    // Not zeroed: pages that no entry ever reaches are never touched.
    : config_(std::move(config)), buffer_(new char[kFlushAt + kMaxEntry]) {
  open(0);
}

void LogFile::open(int extra_flags) {
  fd_.reset(
      ::open(config_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | extra_flags, 0640));
  struct stat status {};
  size_ = fd_ && ::fstat(fd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

void LogFile::append(std::string_view line, Channel channel, const timespec& time) {
  if (config_.max_size != 0 && size_ + used_ >= config_.max_size) {
    flush();
    rotate();
  }
  char* end = writeEntry(buffer_.get() + used_, line, channel, time, formatter_);
  used_ = static_cast<std::size_t>(end - buffer_.get());
  if (used_ >= kFlushAt) {
    flush();
  }
}

void LogFile::flush() {
  std::size_t done = 0;
  while (done < used_) {
    const ssize_t wrote = ::write(fd_.get(), buffer_.get() + done, used_ - done);
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote < 0) {
      break;
    }
    done += static_cast<std::size_t>(wrote);
  }
  size_ += done;
  used_ = 0;
}

void LogFile::rotate() {
  ++generation_;
  if (config_.max_files < 2) {
    open(O_TRUNC);
    return;
  }
  for (unsigned index = config_.max_files - 1; index > 0; --index) {
    const std::string from = olderFile(index - 1);
    (void)::rename(from.c_str(), olderFile(index).c_str());  // those that are not there yet
  }
  open(O_TRUNC);
}

std::string LogFile::olderFile(unsigned index) const {
  return index == 0 ? config_.path : config_.path + "." + std::to_string(index);
}

unsigned LogFile::olderFiles() const {
  unsigned count = 0;
  while (count + 1 < config_.max_files && ::access(olderFile(count + 1).c_str(), F_OK) == 0) {
    ++count;
  }
  return count;
}

std::string LogFile::fileOf(std::uint64_t wanted) const {
  const std::uint64_t age = generation_ - wanted;
  const std::uint64_t kept = config_.max_files < 1 ? 1 : config_.max_files;
  return wanted > generation_ || age >= kept ? std::string()
                                             : olderFile(static_cast<unsigned>(age));
}

}  // namespace flotilla::engine::shim
