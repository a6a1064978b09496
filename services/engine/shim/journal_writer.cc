#include "engine/shim/journal_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

namespace flotilla::engine::shim {
namespace {

constexpr off_t kTrimAbove = 64 * 1024;

std::string readSmall(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer;
  const ssize_t got = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : 0;
  return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

}  // namespace

Result<JournalWriter> JournalWriter::open(const std::string& path, std::uint64_t first_seq,
                                          unsigned run) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open journal " + path, errno);
  }
  return JournalWriter(std::move(fd), first_seq, run);
}

void JournalWriter::append(const char* what, nlohmann::json fields, Tell tell) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  fields["seq"] = next_seq_++;
  fields["run"] = run_;
  fields["what"] = what;
  fields["time"] = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  const std::string line =
      fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (::write(fd_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    // A full disk: the engine learns of the transition as far as it asks or sees the shim end.
    ::dprintf(2, "journal: write failed: errno %d\n", errno);
  }
  if (told_ && tell == Tell::Now) {
    told_(lastSeq());
  }
}

void JournalWriter::consumed(std::uint64_t seq) {
  struct stat status {};
  if (seq == lastSeq() && ::fstat(fd_.get(), &status) == 0 && status.st_size > kTrimAbove &&
      ::ftruncate(fd_.get(), 0) != 0) {
    ::dprintf(2, "journal: truncate failed: errno %d\n", errno);
  }
}

std::uint64_t processStartTime(int pid) {
  const std::string stat = readSmall("/proc/" + std::to_string(pid) + "/stat");
  std::size_t at = stat.rfind(')');  // the name before it may hold anything
  for (int field = 2; field < 22 && at != std::string::npos; ++field) {
    at = stat.find(' ', at + 1);
  }
  std::uint64_t value = 0;
  if (at != std::string::npos) {
    std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), value);
  }
  return value;
}

std::string bootId() {
  std::string id = readSmall("/proc/sys/kernel/random/boot_id");
  return id.substr(0, id.find('\n'));
}

}  // namespace flotilla::engine::shim
