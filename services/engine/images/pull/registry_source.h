#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "engine/images/reference.h"

namespace flotilla::engine {

struct RegistryManifest {
  std::string media_type, digest;  // of `text`, checked
  std::string text;
};

/// Who pulls what.
struct RegistryCaller {
  Reference name;    // of the image; errors speak of it
  std::string auth;  // X-Registry-Auth as the client sent it, "" for nobody. Never logged.
};

/// Where images come from. Errors are in the words dockerd has for them; Unavailable is worth
/// another try. Blocks; thread-safe.
class RegistrySource {
 public:
  virtual ~RegistrySource() = default;

  /// By tag or digest.
  virtual Result<RegistryManifest> manifest(const RegistryCaller& caller,
                                            const std::string& reference) = 0;
  virtual Result<std::vector<std::string>> tags(const RegistryCaller& caller) = 0;

  /// The blob's bytes from `from` on, not checked here; `take` may end it by false.
  using Take = std::function<bool(std::string_view piece)>;
  virtual Result<void> blob(const RegistryCaller& caller, const std::string& digest,
                            std::uint64_t from, const Take& take) = 0;
};

}  // namespace flotilla::engine
