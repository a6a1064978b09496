#include "common/process/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <vector>

namespace flotilla::process {
namespace {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<User> lookUp(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (const int failed = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
      failed != 0) {
    return sysError("look up user " + name, failed);
  }
  if (found == nullptr) {
    return Error{ErrorKind::NotFound, "no such user: " + name};
  }
  return User{entry.pw_uid, entry.pw_gid};
}

}  // namespace

Result<gid_t> findGroup(const std::string& group) {
  gid_t number = 0;
  const char* end = group.data() + group.size();
  if (const auto [at, bad] = std::from_chars(group.data(), end, number);
      bad == std::errc{} && at == end) {
    return number;
  }
  std::vector<char> buffer(16384);
  ::group entry{};
  ::group* found = nullptr;
  ::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Error{ErrorKind::NotFound, "group " + group + " not found"};
  }
  return found->gr_gid;
}

Result<void> enterAsUser(const std::string& folder, const std::string& user) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (::chdir(folder.c_str()) != 0) {
    return sysError("enter " + folder, errno);
  }
  if (::geteuid() == 0) {
    FLO_TRY_ASSIGN(const User who, lookUp(user));
    // The folder's parents may be closed to the user: from here on it is reached as ".".
    if (::chown(".", who.uid, who.gid) != 0 || ::chmod(".", 0700) != 0) {
      return sysError("give " + folder + " to " + user, errno);
    }
    if (::setgroups(0, nullptr) != 0 || ::setresgid(who.gid, who.gid, who.gid) != 0 ||
        ::setresuid(who.uid, who.uid, who.uid) != 0) {
      return sysError("become " + user, errno);
    }
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return sysError("give up privileges", errno);
  }
  return {};
}

}  // namespace flotilla::process
