#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::model {

/// HostConfig.SecurityOpt taken apart.
struct SecurityOptions {
  bool no_new_privileges = false;
  bool seccomp_unconfined = false;
  bool writable_cgroups = false;
  std::string seccomp_profile;  // JSON text of a profile of the user's own, "" = the default one

  /// SELinux and AppArmor options are accepted and without effect, as on hosts without them.
  /// Errors: InvalidArgument `invalid --security-opt 2: "x=y"`.
  static Result<SecurityOptions> parse(const std::vector<std::string>& options);
};

}  // namespace flotilla::model
