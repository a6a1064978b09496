#include "engine/images/unpack/decompressor.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace flotilla::engine::unpack {
namespace {

std::string sample(std::size_t size) {
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < size) {
    state = state * 1664525U + 1013904223U;
    text += (state >> 28U) < 12 ? 'a' : static_cast<char>(state >> 24U);
  }
  return text;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

/// Everything that comes out of `input`, read and fed in odd pieces.
Result<std::string> undo(const std::string& input, std::size_t feed, std::size_t take) {
  std::size_t at = 0;
  FLO_TRY_ASSIGN(
      auto source,
      Decompressor::create(sniffCompression(input),
                           [&](char* buffer, std::size_t size) -> Result<std::size_t> {
                             const std::size_t part = std::min({size, feed, input.size() - at});
                             std::memcpy(buffer, input.data() + at, part);
                             at += part;
                             return part;
                           }));
  std::string out;
  std::string buffer(take, '\0');
  for (;;) {
    FLO_TRY_ASSIGN(const std::size_t got, source->read(buffer.data(), buffer.size()));
    if (got == 0) {
      return out;
    }
    out.append(buffer, 0, got);
  }
}

TEST(Decompressor, UndoesEachFormatInPiecesOfAnySize) {
  const std::string text = sample(700'000);
  for (const std::size_t feed : {std::size_t{1000}, std::size_t{65'537}, std::size_t{1U << 20U}}) {
    for (const std::size_t take :
         {std::size_t{777}, std::size_t{262'144}, std::size_t{1U << 20U}}) {
      EXPECT_EQ(undo(gzip(text), feed, take).value(), text);
      EXPECT_EQ(undo(zstd(text), feed, take).value(), text);
      EXPECT_EQ(undo(text, feed, take).value(), text);
    }
  }
}

TEST(Decompressor, ReadsConcatenatedMembers) {
  const std::string text = sample(100'000);
  EXPECT_EQ(undo(gzip(text) + gzip("") + gzip("tail"), 4096, 9999).value(), text + "tail");
  EXPECT_EQ(undo(zstd(text) + zstd("tail"), 4096, 9999).value(), text + "tail");
}

TEST(Decompressor, NamesTruncationAndCorruption) {
  const std::string text = sample(300'000);
  for (const std::string& whole : {gzip(text), zstd(text)}) {
    for (const std::size_t keep : {whole.size() - 1, whole.size() / 2, std::size_t{20}}) {
      const auto cut = undo(whole.substr(0, keep), 5000, 5000);
      ASSERT_FALSE(cut) << keep;
      EXPECT_EQ(cut.error().message(), "unexpected EOF");
    }
  }
  std::string flipped = gzip(text);
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // its CRC
  const auto corrupt = undo(flipped, 5000, 5000);
  ASSERT_FALSE(corrupt);
  EXPECT_EQ(corrupt.error().kind(), ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace flotilla::engine::unpack
