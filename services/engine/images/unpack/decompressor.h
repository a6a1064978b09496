#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine::unpack {

enum class Compression { None, Gzip, Zstd, Other };

/// By the first bytes of a stream. Other: xz and bzip2.
Compression sniffCompression(std::string_view head);

/// Where compressed bytes come from: as many as wanted or fewer, 0 at the end.
using ReadFn = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// Undoes one kind of compression, streaming; concatenated members are one stream, as in gzip(1).
/// One thread.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  /// Fills `buffer` as far as it can; 0 at the end. Errors: InvalidArgument on corrupt input and
  /// "unexpected EOF" on a truncated one; those of the source.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;

  static Result<std::unique_ptr<Decompressor>> create(Compression compression, ReadFn source);
};

}  // namespace flotilla::engine::unpack
