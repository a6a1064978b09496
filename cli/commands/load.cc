// flotilla load: images from an archive (docker-archive or OCI layout) on stdin or in a file.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "cli/commands/command.h"
#include "common/os/unique_fd.h"

namespace flotilla::cli {
namespace {

struct LoadOptions {
  std::string input;
  bool quiet = false;
};

/// Prints the messages of the answer's JSON lines; the error among them, if any.
Result<int> printLoaded(const std::string& answer) {
  std::istringstream lines(answer);
  for (std::string line; std::getline(lines, line);) {
    const auto message = nlohmann::json::parse(line, nullptr, false);
    if (const std::string error = text(message, "error"); !error.empty()) {
      return Error(ErrorKind::Internal, error);
    }
    std::fputs(text(message, "stream").c_str(), stdout);
  }
  return 0;
}

Result<int> loadImages(ApiClient& client, const LoadOptions& options) {
  UniqueFd file;
  int fd = STDIN_FILENO;
  if (!options.input.empty()) {
    file.reset(::open(options.input.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      return sysError("open " + options.input, errno);
    }
    fd = file.get();
  } else if (::isatty(STDIN_FILENO) != 0) {
    return Error(ErrorKind::InvalidArgument, "requested load from stdin, but stdin is empty");
  }
  const auto read_some = [fd](char* buffer, std::size_t size) -> std::size_t {
    for (;;) {
      const ssize_t got = ::read(fd, buffer, size);
      if (got >= 0) {
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR) {
        return 0;
      }
    }
  };
  FLO_TRY_ASSIGN(const auto answer,
                 client.postStream(withQuery("/images/load", {{"quiet", "1"}}), read_some));
  return printLoaded(answer);
}

}  // namespace

void addLoad(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("load", "Load an image from a tar archive or STDIN");
  auto options = std::make_shared<LoadOptions>();
  verb->add_option("-i,--input", options->input, "Read from tar archive file, instead of STDIN");
  verb->add_flag("-q,--quiet", options->quiet, "Suppress the load output");
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return loadImages(client, *options); };
  });
}

}  // namespace flotilla::cli
