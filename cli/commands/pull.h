#pragma once

#include <cstdio>
#include <string>

#include "cli/client/api_client.h"
#include "cli/commands/pull_display.h"

namespace flotilla::cli {

/// Has the daemon pull `image` ("busybox" is busybox:latest) with what the user's docker
/// configuration knows of its registry, and shows it.
Result<void> pullImage(ApiClient& client, const std::string& image, const std::string& platform,
                       PullDisplay& display);

}  // namespace flotilla::cli
