#include "engine/logs/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace flotilla::engine {
namespace {

constexpr std::size_t kSlice = 64 * 1024;
constexpr unsigned kMostParts = 1000;  // max-file of any sane configuration
constexpr std::size_t kHeader = 8;

bool sameFile(const struct stat& info, std::uint64_t device, std::uint64_t inode) {
  return info.st_dev == device && info.st_ino == inode;
}

void appendHeader(std::string& out, bool from_stderr, std::size_t size) {
  out += static_cast<char>(from_stderr ? 2 : 1);
  out.append(3, '\0');
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    out += static_cast<char>(size >> shift & 0xFFU);
  }
}

/// Offset of the first byte of the last `lines` lines of a file; lowers `lines` by those it has.
Result<off_t> seekLines(int fd, off_t size, std::uint64_t& lines) {
  std::array<char, kSlice> block{};
  off_t end = size;
  bool at_end = true;  // the newline that ends the last line starts none
  while (end > 0) {
    const auto length = static_cast<std::size_t>(std::min<off_t>(end, kSlice));
    const off_t start = end - static_cast<off_t>(length);
    const ssize_t got = pread(fd, block.data(), length, start);
    if (got != static_cast<ssize_t>(length)) {
      return sysError("read log", got < 0 ? errno : EIO);
    }
    for (std::size_t i = length; i > 0;) {
      const auto* newline = static_cast<const char*>(memrchr(block.data(), '\n', i));
      if (newline == nullptr) {
        break;
      }
      i = static_cast<std::size_t>(newline - block.data());
      if (at_end && start + static_cast<off_t>(i) + 1 == size) {
        at_end = false;
        continue;
      }
      at_end = false;
      if (--lines == 0) {
        return start + static_cast<off_t>(i) + 1;
      }
    }
    end = start;
  }
  if (size > 0) {
    --lines;  // the first line of the file has no newline before it
  }
  return 0;
}

}  // namespace

std::string LogReader::partName(unsigned number) const {
  return number == 0 ? path_ : path_ + "." + std::to_string(number);
}

Result<bool> LogReader::openPart(const std::string& part) {
  UniqueFd fd(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return errno == ENOENT ? Result<bool>(false) : sysError("open " + part, errno);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) {
    return sysError("stat " + part, errno);
  }
  file_ = std::move(fd);
  device_ = info.st_dev;
  inode_ = info.st_ino;
  drained_ = false;
  return true;
}

Result<void> LogReader::startAtOldest() {
  unsigned oldest = 0;
  struct stat info {};
  while (oldest < kMostParts && stat(partName(oldest + 1).c_str(), &info) == 0) {
    ++oldest;
  }
  for (unsigned part = oldest;; --part) {
    FLO_TRY_ASSIGN(const bool open, openPart(partName(part)));
    if (open || part == 0) {
      return {};
    }
  }
}

Result<void> LogReader::startAtTail(std::uint64_t lines) {
  for (unsigned part = 0; part <= kMostParts; ++part) {
    UniqueFd newer = std::move(file_);
    const auto identity = std::pair(device_, inode_);
    FLO_TRY_ASSIGN(const bool open, openPart(partName(part)));
    if (!open && part > 0) {  // all parts are shorter than that: stay at the start of the oldest
      file_ = std::move(newer);
      std::tie(device_, inode_) = identity;
      return {};
    }
    if (!open) {
      continue;
    }
    const off_t size = lseek(file_.get(), 0, SEEK_END);
    off_t start = size;
    if (lines > 0) {
      FLO_TRY_ASSIGN(start, seekLines(file_.get(), size, lines));
    }
    if (size < 0 || lseek(file_.get(), start, SEEK_SET) < 0) {
      return sysError("seek " + partName(part), errno);
    }
    if (lines == 0) {
      return {};
    }
  }
  return {};
}

Result<LogReader> LogReader::open(std::string path, LogOptions options) {
  LogReader reader(std::move(path), options);
  if (options.tail) {
    FLO_TRY(reader.startAtTail(*options.tail));
  } else {
    FLO_TRY(reader.startAtOldest());
  }
  return reader;
}

Result<bool> LogReader::openNewer() {
  struct stat info {};
  if (!file_) {
    return openPart(path_);
  }
  if (stat(path_.c_str(), &info) == 0 && sameFile(info, device_, inode_)) {
    return false;  // still the newest
  }
  if (!drained_) {  // the writer may have added to this part between our last read and the rotation
    drained_ = true;
    return true;
  }
  // Parts only move to higher numbers, and so do we: ours is met if it exists. One may be missing
  // for a moment, between two renames.
  for (unsigned part = 1, missing = 0; part <= kMostParts && missing < 2; ++part) {
    if (stat(partName(part).c_str(), &info) != 0) {
      ++missing;
    } else if (sameFile(info, device_, inode_)) {
      return openPart(partName(part - 1));
    }
  }
  // Rotated out of existence while we read it: what is left is newer.
  const auto identity = std::pair(device_, inode_);
  UniqueFd old = std::move(file_);
  FLO_TRY(startAtOldest());
  if (!file_ || std::pair(device_, inode_) == identity) {
    file_ = std::move(old);
    std::tie(device_, inode_) = identity;
    return false;
  }
  return true;
}

bool LogReader::emit(std::string_view line, std::string& out) {
  const auto entry = parseLogLine(line, scratch_);
  if (!entry) {
    return true;
  }
  if (options_.since_ns || options_.until_ns) {
    const std::int64_t time = parseLogTime(entry->time).value_or(0);
    if (options_.until_ns && time > *options_.until_ns) {
      return false;
    }
    if (options_.since_ns && time < *options_.since_ns) {
      return true;
    }
  }
  if (!(entry->from_stderr ? options_.with_stderr : options_.with_stdout)) {
    return true;
  }
  const std::size_t start = out.size();
  if (options_.multiplexed) {
    appendHeader(out, entry->from_stderr, 0);
  }
  if (options_.timestamps) {
    appendFixedTime(out, entry->time);
    out += ' ';
  }
  if (options_.details) {
    out += detailsText(entry->attributes);
    out += ' ';
  }
  out += entry->text;
  if (options_.multiplexed) {
    const std::size_t size = out.size() - start - kHeader;
    for (unsigned i = 0; i < 4; ++i) {
      out[start + 4 + i] = static_cast<char>(size >> (24U - 8U * i) & 0xFFU);
    }
  }
  return true;
}

bool LogReader::takeLines(std::string& out) {
  std::string_view rest = pending_;
  bool go_on = true;
  while (go_on) {
    const std::size_t newline = rest.find('\n');
    if (newline == std::string_view::npos) {
      break;
    }
    go_on = emit(rest.substr(0, newline), out);
    rest.remove_prefix(newline + 1);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return go_on;
}

Result<LogReader::State> LogReader::read(std::string& out) {
  const std::size_t had = pending_.size();
  if (file_) {
    pending_.resize(had + kSlice);
    const ssize_t got = ::read(file_.get(), pending_.data() + had, kSlice);
    const int error = errno;
    pending_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) {
      return sysError("read " + path_, error);
    }
    if (got > 0) {
      return takeLines(out) ? State::More : State::Finished;
    }
  }
  const std::uint64_t before = inode_;
  FLO_TRY_ASSIGN(const bool go_on, openNewer());
  if (inode_ != before) {
    pending_.clear();  // a torn line at the end of a finished part
  }
  return go_on ? State::More : State::CaughtUp;
}

}  // namespace flotilla::engine
