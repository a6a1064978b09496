#include "engine/images/unpack/decompressor.h"

#include <archive.h>
#include <archive_entry.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flotilla::engine::unpack {
namespace {

constexpr std::size_t kInputSize = 128 * 1024;

Error truncated() { return Error{ErrorKind::InvalidArgument, "unexpected EOF"}; }

class Plain : public Decompressor {
 public:
  explicit Plain(ReadFn source) : source_(std::move(source)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return source_(buffer, size);
  }

 private:
  ReadFn source_;
};

/// gzip by ISA-L: about twice zlib's speed, and streaming, which libdeflate is not.
class Gzip : public Decompressor {
 public:
  explicit Gzip(ReadFn source) : source_(std::move(source)), input_(kInputSize) { startMember(); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    state_.next_out = reinterpret_cast<unsigned char*>(buffer);
    state_.avail_out = static_cast<std::uint32_t>(size);
    while (state_.avail_out == size) {
      if (state_.avail_in == 0 && !pending_output_) {
        FLO_TRY_ASSIGN(const std::size_t got, source_(input_.data(), input_.size()));
        if (got == 0) {
          if (in_member_) {
            return truncated();
          }
          break;
        }
        state_.next_in = reinterpret_cast<unsigned char*>(input_.data());
        state_.avail_in = static_cast<std::uint32_t>(got);
      }
      in_member_ = true;
      if (isal_inflate(&state_) != ISAL_DECOMP_OK) {
        return Error{ErrorKind::InvalidArgument, "gzip: invalid data"};
      }
      pending_output_ = state_.avail_out == 0;
      if (state_.block_state == ISAL_BLOCK_FINISH) {
        nextMember();
      }
    }
    return size - state_.avail_out;
  }

 private:
  void startMember() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }

  void nextMember() {
    isal_inflate_reset(&state_);
    state_.crc_flag = ISAL_GZIP;
    in_member_ = false;
    pending_output_ = false;
  }

  ReadFn source_;
  std::vector<char> input_;
  inflate_state state_{};
  bool in_member_ = true;
  bool pending_output_ = false;
};

class Zstd : public Decompressor {
 public:
  explicit Zstd(ReadFn source)
      : source_(std::move(source)), input_(kInputSize), stream_(ZSTD_createDStream()) {
    // A frame may ask for this much memory and no more (as zstd's own command line allows).
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    ZSTD_outBuffer out{buffer, size, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !pending_output_) {
        FLO_TRY_ASSIGN(const std::size_t got, source_(input_.data(), input_.size()));
        if (got == 0) {
          if (in_frame_) {
            return truncated();
          }
          break;
        }
        in_ = ZSTD_inBuffer{input_.data(), got, 0};
      }
      const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(left) != 0) {
        return Error{ErrorKind::InvalidArgument, std::string("zstd: ") + ZSTD_getErrorName(left)};
      }
      in_frame_ = left != 0;
      pending_output_ = in_frame_ && out.pos == out.size;
    }
    return out.pos;
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  ReadFn source_;
  std::vector<char> input_;
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool in_frame_ = true;
  bool pending_output_ = false;
};

/// xz, bzip2 and whatever else libarchive undoes; rare, so its speed does not matter.
class Other : public Decompressor {
 public:
  explicit Other(ReadFn source) : source_(std::move(source)), input_(kInputSize) {}

  Result<void> open() {
    archive_.reset(archive_read_new());
    archive_read_support_filter_xz(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_format_raw(archive_.get());
    archive_entry* entry = nullptr;
    if (archive_read_open(archive_.get(), this, nullptr, &Other::onRead, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(archive_.get(), &entry) != ARCHIVE_OK) {
      return failure();
    }
    return {};
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const la_ssize_t got = archive_read_data(archive_.get(), buffer, size);
    if (got < 0) {
      return failure();
    }
    return static_cast<std::size_t>(got);
  }

 private:
  struct Free {
    void operator()(archive* handle) const { archive_read_free(handle); }
  };

  static la_ssize_t onRead(archive* handle, void* self, const void** buffer) {
    auto& me = *static_cast<Other*>(self);
    auto got = me.source_(me.input_.data(), me.input_.size());
    if (!got) {
      me.source_error_ = std::move(got).error();
      archive_set_error(handle, EIO, "source failed");
      return -1;
    }
    *buffer = me.input_.data();
    return static_cast<la_ssize_t>(*got);
  }

  Error failure() {
    if (source_error_.has_value()) {
      return *source_error_;
    }
    const char* text = archive_error_string(archive_.get());
    return Error{ErrorKind::InvalidArgument, text != nullptr ? text : "corrupt compressed data"};
  }

  ReadFn source_;
  std::vector<char> input_;
  std::unique_ptr<archive, Free> archive_;
  std::optional<Error> source_error_;
};

}  // namespace

Compression sniffCompression(std::string_view head) {
  using std::string_view_literals::operator""sv;
  if (head.starts_with("\x1f\x8b\x08"sv)) {
    return Compression::Gzip;
  }
  if (head.starts_with("\x28\xb5\x2f\xfd"sv)) {
    return Compression::Zstd;
  }
  if (head.starts_with("\xfd\x37zXZ\0"sv) || head.starts_with("BZh"sv)) {
    return Compression::Other;
  }
  return Compression::None;
}

Result<std::unique_ptr<Decompressor>> Decompressor::create(Compression compression, ReadFn source) {
  switch (compression) {
    case Compression::None:
      return std::unique_ptr<Decompressor>(std::make_unique<Plain>(std::move(source)));
    case Compression::Gzip:
      return std::unique_ptr<Decompressor>(std::make_unique<Gzip>(std::move(source)));
    case Compression::Zstd:
      return std::unique_ptr<Decompressor>(std::make_unique<Zstd>(std::move(source)));
    case Compression::Other:
      break;
  }
  auto other = std::make_unique<Other>(std::move(source));
  FLO_TRY(other->open());
  return std::unique_ptr<Decompressor>(std::move(other));
}

}  // namespace flotilla::engine::unpack
