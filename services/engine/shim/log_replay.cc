#include "engine/shim/log_replay.h"

#include <unistd.h>

#include <algorithm>

#include <array>
#include <cerrno>
#include <utility>

namespace flotilla::engine::shim {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::string_view kRotatedAway = "this stream was too slow: the log has been rotated away";

void appendUtf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | (code >> 6U));
    out += static_cast<char>(0x80U | (code & 0x3fU));
  } else {
    out += static_cast<char>(0xe0U | (code >> 12U));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (code & 0x3fU));
  }
}

bool hexValue(std::string_view digits, unsigned& value) {
  value = 0;
  for (const char digit : digits) {
    const unsigned low = static_cast<unsigned>(digit >= '0' && digit <= '9'   ? digit - '0'
                                               : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                                              : 16);
    if (low > 15) {
      return false;
    }
    value = value * 16 + low;
  }
  return digits.size() == 4;
}

}  // namespace

bool parseEntry(std::string_view line, Channel& channel, std::string& text, bool& replaced) {
  constexpr std::string_view kBegin = "{\"log\":\"";
  if (!line.starts_with(kBegin)) {
    return false;
  }
  line.remove_prefix(kBegin.size());
  while (true) {
    const std::size_t special = line.find_first_of("\"\\");
    if (special == std::string_view::npos) {
      return false;
    }
    text.append(line.substr(0, special));
    const bool end = line[special] == '"';
    line.remove_prefix(special + 1);
    if (end) {
      break;
    }
    if (line.empty()) {
      return false;
    }
    const char kind = line.front();
    line.remove_prefix(1);
    unsigned code = 0;
    if (kind == 'u') {
      if (!hexValue(line.substr(0, 4), code)) {
        return false;
      }
      line.remove_prefix(4);
      replaced = replaced || code == 0xfffd;  // a genuine U+FFFD is written as UTF-8
      appendUtf8(text, code);
    } else {
      text += kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind == 't' ? '\t' : kind;
    }
  }
  channel = line.find("\"stream\":\"stderr\"") != std::string_view::npos ? Channel::Stderr
                                                                         : Channel::Stdout;
  return true;
}

void LogReplay::startHere() {
  log_.mark([self = shared_from_this()](const LogMark& mark) {
    self->generation_ = mark.position.generation;
    self->offset_ = mark.position.offset;
    self->skip_out_ = mark.carry_out.size();
    self->skip_err_ = mark.carry_err.size();
    self->exact_ = true;
    self->file_ = self->log_.openGeneration(self->generation_);
    self->ready_ = true;
    self->pump();
  });
}

void LogReplay::startAtBeginning() {
  std::uint64_t newest = 0;
  for (UniqueFd& file : log_.openOlder(newest)) {
    older_.push_back(std::move(file));
  }
  generation_ = newest;
  if (!older_.empty()) {
    file_ = std::move(older_.front());
    older_.pop_front();
  }
  ready_ = true;
  pump();
}

void LogReplay::write(Channel channel, std::string_view bytes) {
  if (!target_asked_ || pending_overflow_) {
    return;  // before the target that will be asked for: the file has it
  }
  pending_size_ += bytes.size();
  if (pending_size_ > kMaxPending) {
    pending_overflow_ = true;
    pending_.clear();
    return;
  }
  pending_.push_back({channel, std::string(bytes)});
}

void LogReplay::requestTarget() {
  target_asked_ = true;
  has_target_ = false;
  pending_.clear();
  pending_size_ = 0;
  pending_overflow_ = false;
  log_.mark([self = shared_from_this()](const LogMark& mark) {
    self->target_ = mark;
    self->has_target_ = true;
    self->pump();
  });
}

void LogReplay::pump() {
  if (!ready_ || ended_ || stream_->isGone() || stream_->backlog() > 0) {
    return;
  }
  if (!target_asked_) {
    requestTarget();
    return;
  }
  while (has_target_ && !ended_ && stream_->backlog() == 0) {
    const bool last_file = older_.empty() && generation_ == target_.position.generation;
    if (last_file && offset_ == target_.position.offset && raw_.empty()) {
      reachedTarget();
      return;
    }
    if (!readMore() || !emitEntries()) {
      return;
    }
  }
}

bool LogReplay::readMore() {
  const bool last_file = older_.empty() && generation_ == target_.position.generation;
  std::size_t want = kPiece;
  if (last_file) {
    want = static_cast<std::size_t>(
        std::min<std::uint64_t>(kPiece, target_.position.offset - offset_));
  }
  const std::size_t had = raw_.size();
  raw_.resize(had + want);
  ssize_t got = 0;
  do {
    got = file_ ? ::pread(file_.get(), raw_.data() + had, want, static_cast<off_t>(offset_)) : -1;
  } while (got < 0 && errno == EINTR && file_);
  raw_.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got < 0 || (got == 0 && last_file)) {
    fail("the log file that this stream was reading is gone");
    return false;
  }
  if (older_.empty() &&
      !log_.holds(generation_)) {  // asked after the reading: it was emptied before
    fail(kRotatedAway);
    return false;
  }
  offset_ += static_cast<std::uint64_t>(got);
  if (got == 0) {
    openNext();
    return !ended_;
  }
  return true;
}

void LogReplay::openNext() {
  raw_.clear();  // the torn end of a file that a crash left
  offset_ = 0;
  if (!older_.empty()) {
    file_ = std::move(older_.front());
    older_.pop_front();
    return;
  }
  file_ = log_.openGeneration(++generation_);
  if (!file_) {
    fail(kRotatedAway);
  }
}

bool LogReplay::emitEntries() {
  std::size_t done = 0;
  while (true) {
    const std::size_t end = raw_.find('\n', done);
    if (end == std::string::npos) {
      break;
    }
    if (!emitEntry(std::string_view(raw_).substr(done, end - done))) {
      return false;
    }
    done = end + 1;
  }
  raw_.erase(0, done);
  return true;
}

bool LogReplay::emitEntry(std::string_view line) {
  Channel channel = Channel::Stdout;
  std::string text;
  bool replaced = false;
  if (!parseEntry(line, channel, text, replaced)) {
    return true;
  }
  if (replaced && exact_) {
    fail("this stream was too slow for output that is not text");
    return false;
  }
  emit(channel, text);
  return true;
}

void LogReplay::emit(Channel channel, std::string_view text) {
  std::size_t& skip = channel == Channel::Stderr ? skip_err_ : skip_out_;
  const std::size_t known = std::min(skip, text.size());
  skip -= known;
  stream_->write(channel, text.substr(known));
}

void LogReplay::reachedTarget() {
  emit(Channel::Stdout, target_.carry_out);
  emit(Channel::Stderr, target_.carry_err);
  skip_out_ = 0;
  skip_err_ = 0;
  if (pending_overflow_) {
    // Far behind still: go on from here. The entry of the carried lines will repeat them.
    skip_out_ = target_.carry_out.size();
    skip_err_ = target_.carry_err.size();
    exact_ = true;
    target_asked_ = false;
    pump();
    return;
  }
  ended_ = true;
  for (const Pending& piece : pending_) {
    stream_->write(piece.channel, piece.bytes);
  }
  pending_.clear();
  if (joined_) {
    joined_();
  }
}

void LogReplay::fail(std::string_view why) {
  ended_ = true;
  stream_->fail(why);
}

}  // namespace flotilla::engine::shim
