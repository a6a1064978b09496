#include "engine/jobs/process_list.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>

#include "common/os/process.h"
#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kDeadline{10};
constexpr std::size_t kMaxOutput = 8U << 20U;

std::vector<std::string> words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> found;
  for (std::string word; in >> word;) {
    found.push_back(std::move(word));
  }
  return found;
}

Result<std::string> readAll(int fd, SteadyClock::time_point deadline) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd ready{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      return Error{ErrorKind::DeadlineExceeded, "ps did not answer in time"};
    }
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) {
      return text;
    }
    if (got < 0 && errno != EINTR) {
      return sysError("read from ps", errno);
    }
    if (got > 0 && text.size() < kMaxOutput) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
}

struct PsOutput {
  int code = 0;
  std::string text;
  std::string complaints;
};

/// What ps wrote to its standard error, without end perhaps.
std::string complaintsIn(int file) {
  std::array<char, 1024> text{};
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

Result<PsOutput> runPs(const std::vector<std::string>& arguments) {
  std::array<int, 2> pipe_fds{};
  if (::pipe2(pipe_fds.data(), O_CLOEXEC) != 0) {
    return sysError("pipe", errno);
  }
  const UniqueFd reading(pipe_fds[0]);
  UniqueFd writing(pipe_fds[1]);
  ProcessSpec spec;
  spec.argv = {"ps"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.lookup = ProcessSpec::Lookup::Path;
  // A file holds what ps complains about: beside the table there is nobody to read another pipe.
  const UniqueFd complaints(::memfd_create("ps", MFD_CLOEXEC));
  if (!complaints) {
    return sysError("make a file for ps", errno);
  }
  spec.fds = {{writing.get(), 1}, {complaints.get(), 2}};
  FLO_TRY_ASSIGN(auto process, Process::spawn(spec));
  writing.reset();
  PsOutput output;
  auto text = readAll(reading.get(), SteadyClock::now() + kDeadline);
  if (!text) {
    static_cast<void>(process.signal(SIGKILL).has_value());  // it may have ended meanwhile
  }
  FLO_TRY_ASSIGN(const auto exit, process.wait(std::chrono::seconds(1)));
  FLO_TRY_ASSIGN(output.text, std::move(text));
  output.code = exit.code;
  output.complaints = complaintsIn(complaints.get());
  return output;
}

}  // namespace

Result<std::string> processListJson(const std::vector<int>& pids, const std::string& ps_args) {
  std::vector<std::string> arguments = words(ps_args.empty() ? "-ef" : ps_args);
  std::string list;
  for (const int pid : pids) {
    list += (list.empty() ? "" : ",") + std::to_string(pid);
  }
  if (!list.empty()) {
    // Spares ps the look at every other process; not every set of options allows it.
    auto quick = arguments;
    quick.push_back("-q" + list);
    FLO_TRY_ASSIGN(const auto output, runPs(quick));
    if (output.code == 0) {
      return parseProcessList(output.text, pids);
    }
  }
  FLO_TRY_ASSIGN(const auto output, runPs(arguments));
  if (output.code != 0) {
    const std::string& said = output.complaints.empty() ? output.text : output.complaints;
    return Error{ErrorKind::Internal, "ps: " + said.substr(0, said.find('\n'))};
  }
  return parseProcessList(output.text, pids);
}

Result<std::string> parseProcessList(std::string_view output, const std::vector<int>& pids) {
  std::istringstream lines{std::string(output)};
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> titles = words(line);
  const auto pid_title = std::find(titles.begin(), titles.end(), "PID");
  if (pid_title == titles.end()) {
    return Error{ErrorKind::InvalidArgument, "Couldn't find PID field in ps output"};
  }
  const auto pid_column = static_cast<std::size_t>(pid_title - titles.begin());
  JsonWriter out;
  out.beginObject().key("Processes").beginArray();
  while (std::getline(lines, line)) {
    std::vector<std::string> fields = words(line);
    if (fields.size() <= pid_column || std::none_of(pids.begin(), pids.end(), [&](int pid) {
          return fields[pid_column] == std::to_string(pid);
        })) {
      continue;
    }
    while (fields.size() > titles.size()) {  // the command's words are one field
      fields[titles.size() - 1] += " " + fields[titles.size()];
      fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(titles.size()));
    }
    out.value(fields);
  }
  out.endArray().member("Titles", titles).endObject();
  return out.take();
}

}  // namespace flotilla::engine
