#include "engine/images/unpack/layer_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace flotilla::engine::unpack {
namespace {

constexpr mode_t kModeBits = 07777;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

/// libarchive over a TarStream.
class Reader {
 public:
  explicit Reader(TarStream& stream) : stream_(stream), archive_(archive_read_new()) {}

  Result<void> open() {
    archive_read_support_format_tar(archive_.get());
    archive_read_support_format_gnutar(archive_.get());
    archive_read_support_format_empty(archive_.get());
    if (archive_read_open(archive_.get(), this, nullptr, &Reader::onRead, nullptr) != ARCHIVE_OK) {
      return failure();
    }
    return {};
  }

  /// Null at the end of the archive.
  Result<archive_entry*> nextHeader() {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF) {
      return static_cast<archive_entry*>(nullptr);
    }
    if (status < ARCHIVE_WARN) {
      return failure();
    }
    return entry;
  }

  Result<void> copyContent(int fd, std::int64_t size) {
    const void* data = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    la_int64_t end = 0;
    for (;;) {
      const int status = archive_read_data_block(archive_.get(), &data, &length, &offset);
      if (status == ARCHIVE_EOF) {
        break;
      }
      if (status < ARCHIVE_WARN) {
        return failure();
      }
      FLO_TRY(writeAt(fd, static_cast<const char*>(data), length, offset));
      end = offset + static_cast<la_int64_t>(length);
    }
    if (end < size && ::ftruncate(fd, size) != 0) {  // a sparse file that ends in a hole
      return sysError("extend a sparse file", errno);
    }
    return {};
  }

 private:
  static la_ssize_t onRead(archive* handle, void* self, const void** buffer) {
    auto& me = *static_cast<Reader*>(self);
    auto piece = me.stream_.next();
    if (!piece) {
      me.source_error_ = std::move(piece).error();
      archive_set_error(handle, EIO, "source failed");
      return -1;
    }
    *buffer = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }

  static Result<void> writeAt(int fd, const char* data, std::size_t length, off_t offset) {
    while (length > 0) {
      const ssize_t done = ::pwrite(fd, data, length, offset);
      if (done < 0) {
        if (errno == EINTR) {
          continue;
        }
        return sysError("write a file of the layer", errno);
      }
      data += done;
      length -= static_cast<std::size_t>(done);
      offset += done;
    }
    return {};
  }

  Error failure() {
    if (source_error_.has_value()) {
      return *source_error_;
    }
    const char* text = archive_error_string(archive_.get());
    const std::string message = text != nullptr ? text : "";
    if (message.find("Truncated") != std::string::npos) {
      return Error{ErrorKind::InvalidArgument, "unexpected EOF"};
    }
    return Error{ErrorKind::InvalidArgument, "archive/tar: invalid tar header: " + message};
  }

  TarStream& stream_;
  std::unique_ptr<archive, FreeArchive> archive_;
  std::optional<Error> source_error_;
};

Result<EntryType> typeOf(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) {
    return EntryType::Hardlink;
  }
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return EntryType::Directory;
    case AE_IFREG:
      return EntryType::File;
    case AE_IFLNK:
      return EntryType::Symlink;
    case AE_IFCHR:
      return EntryType::CharDevice;
    case AE_IFBLK:
      return EntryType::BlockDevice;
    case AE_IFIFO:
      return EntryType::Fifo;
    default:
      break;
  }
  return Error{ErrorKind::InvalidArgument, "unhandled tar header type"};
}

void copyXattrs(archive_entry* from, Entry& to) {
  archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    to.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

Result<Entry> decode(archive_entry* from) {
  Entry entry;
  const char* name = archive_entry_pathname(from);
  if (name == nullptr) {
    return Error{ErrorKind::InvalidArgument, "archive/tar: an entry without a usable name"};
  }
  entry.name = name;
  FLO_TRY_ASSIGN(entry.type, typeOf(from));
  const char* link = entry.type == EntryType::Hardlink  ? archive_entry_hardlink(from)
                     : entry.type == EntryType::Symlink ? archive_entry_symlink(from)
                                                        : "";
  if (link == nullptr) {
    return Error{ErrorKind::InvalidArgument, "archive/tar: a link without a usable target"};
  }
  entry.link = link;
  entry.mode = archive_entry_perm(from) & kModeBits;
  entry.uid = static_cast<uid_t>(archive_entry_uid(from));
  entry.gid = static_cast<gid_t>(archive_entry_gid(from));
  entry.device = archive_entry_rdev(from);
  entry.mtime = timespec{archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
  copyXattrs(from, entry);
  return entry;
}

}  // namespace

Result<void> unpackLayer(TarStream& stream, TreeWriter& tree) {
  Reader reader(stream);
  FLO_TRY(reader.open());
  for (;;) {
    FLO_TRY_ASSIGN(archive_entry* const header, reader.nextHeader());
    if (header == nullptr) {
      break;
    }
    FLO_TRY_ASSIGN(const Entry entry, decode(header));
    const std::int64_t size = archive_entry_size(header);
    FLO_TRY(tree.add(entry, [&reader, size](int fd) { return reader.copyContent(fd, size); }));
  }
  FLO_TRY(stream.drain());
  return tree.finish();
}

}  // namespace flotilla::engine::unpack
