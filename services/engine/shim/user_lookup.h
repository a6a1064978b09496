#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine::shim {

struct ResolvedUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // additional ones, the primary first (as dockerd does)
};

/// Resolves `user` ("name|uid[:group|gid]", "" = root) and `group_add` against the texts of
/// /etc/passwd and /etc/group. Numbers need no entry; malformed lines are skipped.
/// Errors: InvalidArgument and Internal in Docker's words ("unable to find user x: no matching
/// entries in passwd file").
Result<ResolvedUser> resolveUser(std::string_view user, const std::vector<std::string>& group_add,
                                 std::string_view passwd, std::string_view group);

}  // namespace flotilla::engine::shim
