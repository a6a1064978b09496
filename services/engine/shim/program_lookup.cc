#include "engine/shim/program_lookup.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace flotilla::engine::shim {
namespace {

enum class Found { Yes, Missing, Directory, NotExecutable, Other };

Found probe(const RootFiles& root, const std::string& path) {
  const UniqueFd fd = root.openAt(path, O_PATH);
  if (!fd) {
    return errno == ENOENT ? Found::Missing : errno == EACCES ? Found::NotExecutable : Found::Other;
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return Found::Other;
  }
  if (S_ISDIR(status.st_mode)) {
    return Found::Directory;
  }
  return (status.st_mode & 0111U) != 0 ? Found::Yes : Found::NotExecutable;
}

bool under(const std::string& path, const std::string& place) {
  return path.starts_with(place) &&
         (path.size() == place.size() || place.ends_with('/') || path[place.size()] == '/');
}

bool execWillFail(const RootFiles& root, const std::string& path) {
  const UniqueFd fd = root.openAt(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  std::array<char, 256> head{};
  const ssize_t got = fd ? ::read(fd.get(), head.data(), head.size() - 1) : -1;
  if (got < 0) {
    return false;  // unreadable here says nothing about execve
  }
  const std::string_view text(head.data(), static_cast<std::size_t>(got));
  if (text.starts_with("#!")) {
    const std::size_t begin = text.find_first_not_of(" \t", 2);
    if (begin == std::string_view::npos) {
      return true;
    }
    const std::size_t end = text.find_first_of(" \t\n", begin);
    const Found interpreter = probe(root, std::string(text.substr(begin, end - begin)));
    return interpreter != Found::Yes;
  }
  if (!text.starts_with(ELFMAG) || text.size() < sizeof(Elf64_Ehdr)) {
    return true;
  }
  Elf64_Ehdr header{};
  std::memcpy(&header, text.data(), sizeof(header));
  return header.e_type != ET_EXEC && header.e_type != ET_DYN;
}

ProgramAnswer refused(const std::string& program, std::string_view why) {
  ProgramAnswer answer;
  answer.cause = "exec: \"" + program + "\": ";
  *answer.cause += why;
  return answer;
}

class Lookup {
 public:
  Lookup(const RootFiles& root, const ProgramQuery& query) : root_(root), query_(query) {}

  ProgramAnswer named(const std::string& path) {
    const Found found = probe(root_, path);
    if (found != Found::Yes && uncertain()) {
      return {};
    }
    switch (found) {
      case Found::Yes:
        return runnable(path);
      case Found::Missing:
        return refused(query_.program, "stat " + query_.program + ": no such file or directory");
      case Found::Directory:
        return refused(query_.program, "is a directory: permission denied");
      case Found::NotExecutable:
        return refused(query_.program, "permission denied");
      case Found::Other:
        break;
    }
    return {};  // ENOTDIR, ELOOP...: the runtime's to say
  }

  ProgramAnswer searched() {
    std::string_view rest = query_.path;
    while (!rest.empty()) {
      const std::size_t colon = rest.find(':');
      std::string directory(rest.substr(0, colon));
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
      const std::string path = absolute(directory) + "/" + query_.program;
      if (probe(root_, path) == Found::Yes) {
        return runnable(path);
      }
    }
    return uncertain() ? ProgramAnswer{}
                       : refused(query_.program, "executable file not found in $PATH");
  }

  [[nodiscard]] std::string absolute(const std::string& path) const {
    return path.starts_with('/') ? path : query_.cwd + "/" + path;
  }

 private:
  /// Could a mount to come hold the program? A symlink may lead into one from anywhere, so with any
  /// opaque place a miss proves nothing.
  [[nodiscard]] bool uncertain() const { return !query_.opaque.empty(); }

  [[nodiscard]] bool covered(const std::string& path) const {
    return std::any_of(query_.opaque.begin(), query_.opaque.end(),
                       [&path](const std::string& place) { return under(path, place); });
  }

  ProgramAnswer runnable(const std::string& path) {
    ProgramAnswer answer;
    answer.exec_will_fail = !covered(path) && execWillFail(root_, path);
    return answer;
  }

  const RootFiles& root_;
  const ProgramQuery& query_;
};

}  // namespace

ProgramAnswer lookUpProgram(const RootFiles& root, const ProgramQuery& query) {
  Lookup lookup(root, query);
  if (query.program.empty()) {
    return refused(query.program, "executable file not found in $PATH");
  }
  if (query.program.find('/') != std::string::npos) {
    return lookup.named(lookup.absolute(query.program));
  }
  return lookup.searched();
}

}  // namespace flotilla::engine::shim
