#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/error/result.h"
#include "engine/images/unpack/decompressor.h"

namespace flotilla::engine::unpack {

/// The uncompressed bytes of a layer, decompressed and hashed on a thread of its own while the
/// caller writes files: the two halves of the work take about as long. next() on one thread.
class TarStream {
 public:
  /// `hash` is false for plain tars: the engine hashes those itself as they arrive.
  TarStream(std::unique_ptr<Decompressor> source, bool hash);
  ~TarStream();
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;

  /// The next piece, valid until the next call; empty at the end. Errors: the source's.
  Result<std::string_view> next();
  /// Reads to the end (what follows a tar's end marker belongs to its digest). Errors: the
  /// source's.
  Result<void> drain();

  /// After the end.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& digestHex() const { return digest_hex_; }

 private:
  struct Piece {
    std::vector<char> bytes;
    std::size_t used = 0;
  };

  void produce(bool hash);
  Piece emptyPiece();

  std::unique_ptr<Decompressor> source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> full_;
  std::vector<Piece> spare_;
  bool done_ = false;
  bool stop_ = false;
  std::optional<Error> error_;
  std::uint64_t size_ = 0;
  std::string digest_hex_;
  Piece current_;
  std::thread thread_;
};

}  // namespace flotilla::engine::unpack
