#include "engine/images/unpack/tar_stream.h"

#include <utility>

#include "engine/images/sha256.h"

namespace flotilla::engine::unpack {
namespace {

constexpr std::size_t kPieceSize = 256 * 1024;
constexpr std::size_t kMaxPieces = 8;

}  // namespace

TarStream::TarStream(std::unique_ptr<Decompressor> source, bool hash)
    : source_(std::move(source)), thread_([this, hash] { produce(hash); }) {}

TarStream::~TarStream() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<std::string_view> TarStream::next() {
  std::unique_lock lock(mutex_);
  if (!current_.bytes.empty()) {
    spare_.push_back(std::exchange(current_, Piece{}));
  }
  changed_.wait(lock, [this] { return !full_.empty() || done_; });
  if (full_.empty()) {
    if (error_.has_value()) {
      return *error_;
    }
    return std::string_view{};
  }
  current_ = std::move(full_.front());
  full_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return std::string_view(current_.bytes.data(), current_.used);
}

Result<void> TarStream::drain() {
  for (;;) {
    FLO_TRY_ASSIGN(const std::string_view piece, next());
    if (piece.empty()) {
      return {};
    }
  }
}

TarStream::Piece TarStream::emptyPiece() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) {
    return Piece{std::vector<char>(kPieceSize), 0};
  }
  Piece piece = std::move(spare_.back());
  spare_.pop_back();
  return piece;
}

void TarStream::produce(bool hash) {
  Sha256 digest;
  std::optional<Error> error;
  for (;;) {
    Piece piece = emptyPiece();
    auto got = source_->read(piece.bytes.data(), piece.bytes.size());
    if (!got || *got == 0) {
      if (!got) {
        error = std::move(got).error();
      }
      break;
    }
    piece.used = *got;
    if (hash) {
      digest.update(piece.bytes.data(), piece.used);
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return full_.size() < kMaxPieces || stop_; });
    if (stop_) {
      return;
    }
    size_ += piece.used;
    full_.push_back(std::move(piece));
    lock.unlock();
    changed_.notify_all();
  }
  {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    if (hash) {
      digest_hex_ = digest.finish();
    }
    done_ = true;
  }
  changed_.notify_all();
}

}  // namespace flotilla::engine::unpack
