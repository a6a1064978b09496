// flotilla-unpack DIR: unpacks the layer on descriptor 3 into DIR, for the engine on descriptor 4.
//
// A program of its own, so that an archive from anywhere is parsed by a process that can see
// nothing but the directory it fills: it enters DIR with chroot before it reads the first byte, and
// keeps only the capabilities that owners, modes, devices and attributes need.
#include <fcntl.h>
#include <iconv.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "common/os/unique_fd.h"
#include "engine/images/sha256.h"
#include "engine/images/unpack/layer_archive.h"
#include "engine/images/unpack/layer_file.h"
#include "engine/images/unpack/protocol.h"
#include "engine/images/unpack/tar_stream.h"
#include "engine/images/unpack/tree_writer.h"

namespace flotilla::engine::unpack {
namespace {

constexpr std::array kKept = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
    CAP_SETFCAP, CAP_MKNOD,        CAP_SYS_ADMIN};  // trusted.* attributes

Result<void> dropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) {
    return sysError("read capabilities", errno);
  }
  std::array<std::uint32_t, 2> keep{};
  for (const int cap : kKept) {
    keep[static_cast<std::size_t>(cap) / 32] |= 1U << (static_cast<unsigned>(cap) % 32);
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i].permitted &= keep[i];
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, data.data()) != 0) {
    return sysError("drop capabilities", errno);
  }
  return {};
}

/// Everything that may load files (locale, crypto) happens before chroot: afterwards every path is
/// the archive's.
Result<UniqueFd> enter(const char* directory) {
  (void)sha256Hex("");
  // libarchive converts pax names from UTF-8. In the C locale that fails harmlessly and names stay
  // the bytes they are (a UTF-8 locale would normalise them); done once here, libc has its
  // conversion tables and never looks for them again.
  for (const auto& [to, from] :
       {std::pair("ANSI_X3.4-1968", "UTF-8"), std::pair("UTF-8", "ANSI_X3.4-1968")}) {
    if (const iconv_t converter = ::iconv_open(to, from);
        reinterpret_cast<std::intptr_t>(converter) != -1) {
      (void)::iconv_close(converter);
    }
  }
  UniqueFd root(::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) {
    return sysError(directory, errno);
  }
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) {
    return sysError("chroot", errno);
  }
  FLO_TRY(dropCapabilities());
  return root;
}

Result<Outcome> run(const char* directory) {
  FLO_TRY_ASSIGN(UniqueFd root, enter(directory));
  LayerFile file(kLayerFd, kControlFd);
  std::string head(512, '\0');
  std::size_t filled = 0;
  while (filled < head.size()) {
    FLO_TRY_ASSIGN(const std::size_t got, file.read(head.data() + filled, head.size() - filled));
    if (got == 0) {
      break;
    }
    filled += got;
  }
  head.resize(filled);
  const Compression compression = sniffCompression(head);
  const bool compressed = compression != Compression::None;
  std::size_t replayed = 0;
  FLO_TRY_ASSIGN(
      auto source,
      Decompressor::create(compression, [&](char* buffer, std::size_t size) -> Result<std::size_t> {
        if (replayed == head.size()) {
          return file.read(buffer, size);
        }
        const std::size_t part = std::min(size, head.size() - replayed);
        std::memcpy(buffer, head.data() + replayed, part);
        replayed += part;
        return part;
      }));
  TarStream stream(std::move(source), compressed);
  TreeWriter tree(std::move(root));
  FLO_TRY(unpackLayer(stream, tree));
  Outcome outcome;
  outcome.compressed = compressed ? 1 : 0;
  outcome.tar_size = stream.size();
  outcome.disk_size = tree.size();
  std::copy_n(stream.digestHex().begin(),
              std::min(stream.digestHex().size(), sizeof outcome.diff_hex),
              std::begin(outcome.diff_hex));
  return outcome;
}

int report(const Result<Outcome>& result) {
  Outcome outcome;
  std::string message;
  if (result) {
    outcome = *result;
  } else {
    outcome.status = result.error().kind() == ErrorKind::InvalidArgument ? 1 : 2;
    message = result.error().message().substr(0, kMaxMessage);
  }
  std::string packet(reinterpret_cast<const char*>(&outcome), sizeof outcome);
  packet += message;
  const ssize_t sent = ::send(kControlFd, packet.data(), packet.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(packet.size()) && result ? 0 : 1;
}

}  // namespace
}  // namespace flotilla::engine::unpack

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  ::umask(0);
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Nothing is left to tidy up, and exit handlers would look at paths that are the archive's now.
  ::_exit(flotilla::engine::unpack::report(flotilla::engine::unpack::run(argv[1])));
}
