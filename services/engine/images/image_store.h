#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// The parts of an image's OCI/Docker configuration that a container inherits.
struct ImageConfig {
  std::vector<std::string> env, cmd, entrypoint, shell, on_build;
  std::string user, working_dir, stop_signal;
  std::vector<std::string> exposed_ports, volumes;  // sorted: "80/tcp", "/data"
  std::map<std::string, std::string> labels;
  std::string healthcheck_json;  // as in the config, "" when none
};

/// What a container needs of its image, fixed at create.
struct ResolvedImage {
  std::string id;  // "sha256:<hex>" of the config blob
  std::string architecture, os, variant;
  ImageConfig config;
  std::vector<std::string> chain_ids;  // "sha256:<hex>", lowest layer first
};

/// Images of one engine: content-addressed blobs, layers unpacked by chain ID. Thread-safe.
/// References follow Docker's rules: "busybox" = docker.io/library/busybox:latest; an id or an
/// unambiguous prefix of one also resolves.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  /// Errors: NotFound "No such image: <ref>" (docker's words), InvalidArgument "invalid reference
  /// format".
  virtual Result<ResolvedImage> resolve(std::string_view reference) = 0;

  /// Directories for overlayfs, topmost first, as short names relative to linkDir().
  virtual Result<std::vector<std::string>> lowerDirs(const std::vector<std::string>& chain_ids) = 0;
  [[nodiscard]] virtual std::string linkDir() const = 0;
  /// Bytes of these layers together, as Docker counts. Unknown ones count nothing.
  virtual Result<std::uint64_t> diskSize(const std::vector<std::string>& chain_ids) = 0;
};

}  // namespace flotilla::engine
