#pragma once

#include <cstdint>

/// What the engine and its flotilla-unpack child say to each other over a SOCK_SEQPACKET pair.
///
/// The layer's bytes are never sent: both hold the same file, the engine appends to it while the
/// child reads behind, told by Progress how far it may go. So the page cache is the buffer between
/// a fast stream and a slow disk, and several layers unpack at once without blocking the stream.
namespace flotilla::engine::unpack {

inline constexpr int kLayerFd = 3;    // the layer's file, read-only
inline constexpr int kControlFd = 4;  // the socket

/// Engine to child.
struct Progress {
  std::uint64_t available = 0;  // bytes of the file that may be read
  std::uint32_t final = 0;      // 1: there will be no more
  std::uint32_t reserved = 0;
};

/// Child to engine, once, as its last act: the struct, then on failure the message.
struct Outcome {
  std::uint32_t status = 0;      // 0 unpacked, 1 the layer is at fault, 2 this host is
  std::uint32_t compressed = 0;  // 1: diff_hex is filled; 0: the file is the tar itself
  std::uint64_t tar_size = 0;    // bytes of the uncompressed tar
  std::uint64_t disk_size = 0;   // bytes of files and symlinks, each inode once
  char diff_hex[64] = {};        // SHA-256 of the uncompressed tar
};

inline constexpr std::size_t kMaxMessage = 2048;

}  // namespace flotilla::engine::unpack
