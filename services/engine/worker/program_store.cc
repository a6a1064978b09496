#include "engine/worker/program_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "common/log/log.h"
#include "common/os/file_lock.h"
#include "common/os/random.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{20};  // with somebody who copies, or removes
constexpr std::chrono::milliseconds kPause{20};
constexpr const char* kHalfMade = ".new-";

UniqueFd openFolder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// The versions in `folder` of which a process runs a program.
std::set<std::string> versionsThatRun(const fs::path& folder) {
  std::set<std::string> versions;
  std::error_code failed;
  for (fs::directory_iterator at("/proc", failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) {
      continue;
    }
    std::error_code gone;
    const auto below = fs::read_symlink(at->path() / "exe", gone).lexically_relative(folder);
    if (!gone && !below.empty() && below.begin()->string() != "..") {
      versions.insert(below.begin()->string());
    }
  }
  return versions;
}

}  // namespace

Result<ProgramStore::Version> ProgramStore::place(const std::string& source,
                                                  const std::string& digest) const {
  Version version{folder_ + "/" + digest, {}};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    version.in_use = openFolder(version.folder);
    if (!version.in_use) {
      FLO_TRY(copy(source, digest));
      continue;
    }
    if (::flock(version.in_use.get(), LOCK_SH | LOCK_NB) == 0 &&
        isStill(version.in_use.get(), version.folder)) {
      return version;
    }
    std::this_thread::sleep_for(kPause);  // somebody is about to remove it
  }
  return Error{ErrorKind::DeadlineExceeded, "cannot lock " + version.folder};
}

Result<void> ProgramStore::copy(const std::string& source, const std::string& digest) const {
  const std::string half = folder_ + "/" + kHalfMade + randomHex(8);
  std::error_code failed;
  fs::create_directories(folder_, failed);
  fs::create_directory(half, failed);
  const UniqueFd lock = openFolder(half);  // says that somebody works on it
  if (failed) {
    return sysError("make " + half, failed.value());
  }
  if (!lock || ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 || !isStill(lock.get(), half)) {
    return {};  // taken for a leftover before it was locked: once more
  }
  fs::copy(source, half, fs::copy_options::recursive, failed);
  // Half a program after a power cut would be taken for the whole.
  if (failed || ::syncfs(lock.get()) != 0) {
    const int err = failed ? failed.value() : errno;
    fs::remove_all(half, failed);
    return sysError("copy " + source + " to " + half, err);
  }
  if (::rename(half.c_str(), (folder_ + "/" + digest).c_str()) != 0) {
    const int err = errno;
    fs::remove_all(half, failed);
    if (err != EEXIST && err != ENOTEMPTY) {  // else another worker was first
      return sysError("rename " + half, err);
    }
  }
  return {};
}

void ProgramStore::removeUnused() const {
  std::error_code failed;
  for (fs::directory_iterator at(folder_, failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string path = at->path();
    const UniqueFd lock = openFolder(path);
    if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      continue;  // a worker's
    }
    // Looked at under the lock: only whoever holds a version starts its programs, or they
    // themselves.
    if (versionsThatRun(fs::path(folder_)).count(at->path().filename()) == 0) {
      std::error_code kept;
      fs::remove_all(path, kept);
      log::info("removed programs that nobody uses", {{"folder", path}});
    }
  }
}

}  // namespace flotilla::engine
