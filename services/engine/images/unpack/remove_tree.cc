#include "engine/images/unpack/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <memory>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

constexpr int kMaxDepth = 32;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Empties directories depth first; what lies deeper than kMaxDepth is moved up beside the top and
/// emptied in a later round.
class Remover {
 public:
  Remover(int parent_fd, std::string top) : parent_(parent_fd) {
    rounds_.push_back(std::move(top));
  }

  Result<std::uint64_t> run() {
    while (!rounds_.empty()) {
      const std::string name = rounds_.front();
      rounds_.pop_front();
      FLO_TRY(removeOne(parent_, name.c_str(), 0));
    }
    return freed_;
  }

 private:
  Result<void> removeOne(int dir_fd, const char* name, int depth) {
    struct stat info {};
    if (::fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Result<void>{} : sysError(name, errno);
    }
    if (!S_ISDIR(info.st_mode)) {
      if (info.st_nlink == 1) {
        freed_ += static_cast<std::uint64_t>(info.st_size);
      }
      return unlinkAt(dir_fd, name, 0);
    }
    if (depth >= kMaxDepth) {
      return setAside(dir_fd, name);
    }
    FLO_TRY(empty(dir_fd, name, depth));
    return unlinkAt(dir_fd, name, AT_REMOVEDIR);
  }

  Result<void> empty(int dir_fd, const char* name, int depth) {
    UniqueFd fd(::openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
      return sysError(name, errno);
    }
    std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
    if (!dir) {
      return sysError(name, errno);
    }
    const int own_fd = fd.release();                      // the DIR's from here on
    while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
      const std::string child = entry->d_name;
      if (child != "." && child != "..") {
        FLO_TRY(removeOne(own_fd, child.c_str(), depth + 1));
      }
    }
    return {};
  }

  Result<void> setAside(int dir_fd, const char* name) {
    std::string aside = ".removing-" + std::to_string(::getpid()) + "-" + std::to_string(++aside_);
    if (::renameat(dir_fd, name, parent_, aside.c_str()) != 0) {
      return sysError(name, errno);
    }
    rounds_.push_back(std::move(aside));
    return {};
  }

  static Result<void> unlinkAt(int dir_fd, const char* name, int flags) {
    if (::unlinkat(dir_fd, name, flags) != 0 && errno != ENOENT) {
      return sysError(name, errno);
    }
    return {};
  }

  int parent_;
  std::deque<std::string> rounds_;
  std::uint64_t freed_ = 0;
  int aside_ = 0;
};

}  // namespace

Result<std::uint64_t> removeTree(int parent_fd, const std::string& name) {
  return Remover(parent_fd, name).run();
}

}  // namespace flotilla::engine
