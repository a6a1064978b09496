#include "engine/images/archive_input.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/os/atomic_file.h"
#include "engine/images/unpack/decompressor.h"
#include "engine/images/unpack/entry_path.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxEntries = 65'536;
constexpr std::size_t kMaxText = 4U << 20U;
constexpr std::size_t kReadSize = 256 * 1024;
constexpr int kMaxLinks = 16;
constexpr std::chrono::milliseconds kProgressInterval{100};

struct FreeReader {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

Result<std::string> normalised(std::string_view name) {
  FLO_TRY_ASSIGN(const unpack::EntryPath path, unpack::parseEntryPath(name));
  return path.parent.empty() ? path.name : path.parent + "/" + path.name;
}

/// Where a symbolic link inside the archive leads ("../<id>/layer.tar" in older archives).
Result<std::string> linkTarget(const std::string& link, const std::string& target) {
  std::vector<std::string> parts;
  const auto push = [&parts](std::string_view path) {
    while (!path.empty()) {
      const std::size_t slash = path.find('/');
      const std::string_view part = path.substr(0, slash);
      path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
      if (part == ".." && parts.empty()) {
        return false;
      }
      if (part == "..") {
        parts.pop_back();
      } else if (!part.empty() && part != ".") {
        parts.emplace_back(part);
      }
    }
    return true;
  };
  const std::size_t slash = link.rfind('/');
  if (target.starts_with('/') || !push(slash == std::string::npos ? "" : link.substr(0, slash)) ||
      !push(target)) {
    return Error{ErrorKind::InvalidArgument, "invalid link \"" + link + "\" to \"" + target + "\""};
  }
  std::string out;
  for (const std::string& part : parts) {
    out += (out.empty() ? "" : "/") + part;
  }
  return out;
}

bool looksLikeTar(std::string_view head) {
  constexpr std::size_t kMagicAt = 257;
  return (head.size() >= kMagicAt + 5 && head.substr(kMagicAt, 5) == "ustar") ||
         (head.size() >= 512 &&
          std::all_of(head.begin(), head.begin() + 512, [](char c) { return c == 0; }));
}

}  // namespace

std::string blobHexOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blobs/sha256/";
  const std::string digest =
      "sha256:" + std::string(name.substr(std::min(name.size(), kPrefix.size())));
  return name.starts_with(kPrefix) && isSha256Digest(digest) ? digest.substr(7) : std::string();
}

/// libarchive over the client's stream.
class ArchiveInput::Reader {
 public:
  explicit Reader(ImageStream& stream)
      : stream_(stream), buffer_(kReadSize), archive_(archive_read_new()) {}

  Result<void> open() {
    archive_read_support_filter_all(archive_.get());
    archive_read_support_format_tar(archive_.get());
    if (archive_read_open(archive_.get(), this, nullptr, &Reader::onRead, nullptr) != ARCHIVE_OK) {
      return failure();
    }
    return {};
  }

  Result<archive_entry*> next() {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF) {
      return static_cast<archive_entry*>(nullptr);
    }
    return status < ARCHIVE_WARN ? Result<archive_entry*>(failure())
                                 : Result<archive_entry*>(entry);
  }

  /// The next piece of the entry's content, empty at its end.
  Result<std::string_view> data() {
    const void* piece = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(archive_.get(), &piece, &size, &offset);
    if (status == ARCHIVE_EOF) {
      return std::string_view{};
    }
    if (status < ARCHIVE_WARN) {
      return failure();
    }
    if (static_cast<std::uint64_t>(offset) != expected_) {
      return Error{ErrorKind::InvalidArgument, "sparse files are not allowed in an image archive"};
    }
    expected_ += size;
    return std::string_view(static_cast<const char*>(piece), size);
  }
  void startEntry() { expected_ = 0; }

  /// What follows the end marker is read so that the client is not cut off.
  Result<void> drain() {
    for (;;) {
      FLO_TRY_ASSIGN(const std::size_t got, stream_.read(buffer_.data(), buffer_.size()));
      if (got == 0) {
        return {};
      }
    }
  }

 private:
  static la_ssize_t onRead(archive* handle, void* self, const void** buffer) {
    auto& me = *static_cast<Reader*>(self);
    auto got = me.stream_.read(me.buffer_.data(), me.buffer_.size());
    if (!got) {
      me.stream_error_ = std::move(got).error();
      archive_set_error(handle, EIO, "stream failed");
      return -1;
    }
    *buffer = me.buffer_.data();
    return static_cast<la_ssize_t>(*got);
  }

  Error failure() {
    if (stream_error_) {
      return *stream_error_;
    }
    const char* text = archive_error_string(archive_.get());
    const std::string message = text != nullptr ? text : "";
    const bool cut = message.find("runcated") != std::string::npos ||
                     message.find("Unrecognized archive format") != std::string::npos;
    return Error{ErrorKind::InvalidArgument,
                 cut ? "unexpected EOF" : "archive/tar: invalid tar header: " + message};
  }

  ImageStream& stream_;
  std::vector<char> buffer_;
  std::unique_ptr<archive, FreeReader> archive_;
  std::optional<Error> stream_error_;
  std::uint64_t expected_ = 0;
};

Result<void> ArchiveInput::readAll() {
  Reader reader(stream_);
  FLO_TRY(reader.open());
  for (std::size_t count = 0;; ++count) {
    FLO_TRY_ASSIGN(archive_entry* const entry, reader.next());
    if (entry == nullptr) {
      return reader.drain();
    }
    if (count >= kMaxEntries) {
      return Error{ErrorKind::InvalidArgument, "too many files in the image archive"};
    }
    const char* raw_name = archive_entry_pathname(entry);
    FLO_TRY_ASSIGN(const std::string name, normalised(raw_name != nullptr ? raw_name : ""));
    if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
      FLO_TRY_ASSIGN(links_[name], normalised(target));
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      const char* symlink = archive_entry_symlink(entry);
      FLO_TRY_ASSIGN(links_[name], linkTarget(name, symlink != nullptr ? symlink : ""));
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      reader.startEntry();
      FLO_TRY(takeFile(reader, name, archive_entry_size(entry)));
    } else if (archive_entry_filetype(entry) != AE_IFDIR) {
      return Error{ErrorKind::InvalidArgument,
                   "\"" + name + "\" is no file: not allowed in an image archive"};
    }
  }
}

Result<void> ArchiveInput::takeFile(Reader& reader, const std::string& name, std::int64_t size) {
  FLO_TRY_ASSIGN(const std::string_view first, reader.data());
  FLO_TRY_ASSIGN(const LayerIntake::Keep keep, decideKeep(name, first));
  FLO_TRY_ASSIGN(IncomingFile* const file, intake_.begin(keep));
  FLO_TRY(intake_.append(*file, first));
  while (!first.empty()) {
    FLO_TRY_ASSIGN(const std::string_view piece, reader.data());
    if (piece.empty()) {
      break;
    }
    FLO_TRY(intake_.append(*file, piece));
    if (keep == LayerIntake::Keep::Layer) {
      FLO_TRY(showProgress(name, file->size, static_cast<std::uint64_t>(size)));
    }
  }
  FLO_TRY(intake_.end(*file));
  const std::string claimed = blobHexOf(name);
  if (!claimed.empty() && claimed != file->hex) {
    return Error{ErrorKind::InvalidArgument,
                 "wrong digest of " + name + ": its content has sha256:" + file->hex};
  }
  files_[name] = file;
  return {};
}

Result<LayerIntake::Keep> ArchiveInput::decideKeep(const std::string& name, std::string_view head) {
  const std::string claimed = blobHexOf(name);
  if (!claimed.empty()) {
    bool known = false;
    FLO_TRY(context_.database.read([&](Transaction& transaction) -> Result<void> {
      FLO_TRY_ASSIGN(known, ImageRecords(transaction).hasBlob(claimed));
      return {};
    }));
    if (known) {
      return LayerIntake::Keep::HashOnly;
    }
  }
  const bool layer =
      looksLikeTar(head) || unpack::sniffCompression(head) != unpack::Compression::None;
  return layer ? LayerIntake::Keep::Layer : LayerIntake::Keep::File;
}

Result<void> ArchiveInput::showProgress(const std::string& name, std::uint64_t current,
                                        std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!options_.progress || now - last_progress_ < kProgressInterval) {
    return {};
  }
  last_progress_ = now;
  const std::string hex = blobHexOf(name);
  return stream_.write(progressLine(
      "Loading layer", hex.empty() ? name.substr(0, 12) : shortId(hex), current, total));
}

IncomingFile* ArchiveInput::find(std::string_view name) {
  auto at = normalised(name);
  for (int hops = 0; at && hops < kMaxLinks; ++hops) {
    if (const auto file = files_.find(*at); file != files_.end()) {
      return file->second;
    }
    const auto link = links_.find(*at);
    if (link == links_.end()) {
      return nullptr;
    }
    at = link->second;
  }
  return nullptr;
}

Result<std::string> ArchiveInput::text(std::string_view name) {
  const IncomingFile* const file = find(name);
  if (file == nullptr) {
    return Error{ErrorKind::InvalidArgument,
                 "open " + std::string(name) + ": no such file in the archive"};
  }
  if (file->size > kMaxText || file->path.empty()) {
    return Error{ErrorKind::InvalidArgument,
                 std::string(name) + ": not a document of reasonable size"};
  }
  return readFile(file->path, kMaxText);
}

}  // namespace flotilla::engine
