#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/error/result.h"
#include "common/model/container.h"

namespace flotilla::model {

/// What the json-file log driver was asked for.
struct JsonFileOptions {
  std::optional<std::int64_t> max_size;  // bytes; none: no rotation
  std::optional<unsigned> max_files;
  bool compress = false;
};

/// Errors: InvalidArgument in the words dockerd has for it when a container starts.
Result<JsonFileOptions> parseJsonFileOptions(const std::map<std::string, std::string>& options);

/// What dockerd 28.5 accepts at create and refuses at start: log options and tmpfs options with bad
/// values. Errors: InvalidArgument in its words.
Result<void> validateStart(const HostConfig& host);

/// Whether `source` may be mounted at `target` if that is /proc or below it: a container must not
/// be shown a made-up /proc. `rootfs` is for the message; `source_is_proc`: it is a procfs itself.
/// Errors: InvalidArgument in runc's words.
Result<void> checkProcMount(const std::string& source, const std::string& target,
                            const std::string& rootfs, bool source_is_proc);

}  // namespace flotilla::model
