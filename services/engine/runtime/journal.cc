#include "engine/runtime/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;
using What = JournalLine::What;

constexpr std::array<std::pair<std::string_view, What>, 6> kNames = {{
    {"start", What::Start},
    {"start_failed", What::StartFailed},
    {"exit", What::Exit},
    {"exec_start", What::ExecStart},
    {"exec_exit", What::ExecExit},
    {"end", What::End},
}};

std::string text(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <class T>
T number(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number_integer() ? found->get<T>() : T{};
}

bool flag(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_boolean() && found->get<bool>();
}

std::optional<JournalLine> parseLine(std::string_view raw) {
  const json line = json::parse(raw.begin(), raw.end(), nullptr, false);
  if (!line.is_object()) {
    return std::nullopt;
  }
  JournalLine out;
  out.seq = number<std::uint64_t>(line, "seq");
  const std::string what = text(line, "what");
  const auto* name = std::find_if(kNames.begin(), kNames.end(),
                                  [&what](const auto& entry) { return entry.first == what; });
  if (out.seq == 0 || name == kNames.end()) {
    return std::nullopt;
  }
  out.what = name->second;
  out.run = number<unsigned>(line, "run");
  out.time_ns = number<std::int64_t>(line, "time");
  out.pid = number<int>(line, "pid");
  out.pid_start = number<std::uint64_t>(line, "pid_start");
  out.boot = text(line, "boot");
  out.restarts = number<unsigned>(line, "restarts");
  out.exit_code = number<int>(line, out.what == What::StartFailed ? "code" : "exit_code");
  out.oom = flag(line, "oom");
  out.restarting = flag(line, "restarting");
  out.delay_ms = number<std::int64_t>(line, "delay_ms");
  out.exec_id = text(line, "exec");
  out.error = text(line, "error");
  out.error_kind = kindFromName(text(line, "kind"));
  return out;
}

/// The number of a line as far as it can be told without parsing it, else 0. Quotes within JSON
/// strings are escaped, so what looks like the member is it.
std::uint64_t quickSeq(std::string_view raw) {
  constexpr std::string_view kMember = "\"seq\":";
  const std::size_t at = raw.rfind(kMember);
  std::uint64_t seq = 0;
  if (at != std::string_view::npos) {
    std::from_chars(raw.data() + at + kMember.size(), raw.data() + raw.size(), seq);
  }
  return seq;
}

}  // namespace

std::vector<JournalLine> parseJournal(std::string_view all, std::uint64_t after_seq) {
  std::vector<JournalLine> lines;
  while (true) {
    const std::size_t end = all.find('\n');
    if (end == std::string_view::npos) {
      return lines;
    }
    const std::string_view raw = all.substr(0, end);
    const std::uint64_t seq = quickSeq(raw);
    if (seq == 0 || seq > after_seq) {
      if (auto line = parseLine(raw); line && line->seq > after_seq) {
        lines.push_back(std::move(*line));
      }
    }
    all.remove_prefix(end + 1);
  }
}

Result<std::vector<JournalLine>> readJournal(const std::string& path, std::uint64_t after_seq) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) {
      return std::vector<JournalLine>{};
    }
    return sysError("open journal " + path, errno);
  }
  std::string all;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return sysError("read journal " + path, errno);
    }
    if (got == 0) {
      return parseJournal(all, after_seq);
    }
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace flotilla::engine
