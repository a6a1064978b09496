#include "common/os/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace flotilla {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe makePipe() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string drain(int fd) {
  std::string out;
  std::array<char, 4096> chunk{};
  for (;;) {
    ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n <= 0) {
      return out;
    }
    out.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

TEST(Process, ReportsExitCode) {
  auto process = Process::spawn({.argv = {"/bin/sh", "-c", "exit 7"}});
  ASSERT_TRUE(process) << process.error().message();
  auto exit = process->wait(10s);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 7);
  EXPECT_EQ(process->wait(0ms)->code, 7);  // remembered
}

TEST(Process, ReportsSignalAndDeadline) {
  auto process = Process::spawn({.argv = {"sleep", "60"}, .lookup = ProcessSpec::Lookup::Path});
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_EQ(process->wait(1ms).error().kind(), ErrorKind::DeadlineExceeded);
  ASSERT_TRUE(process->signal(SIGKILL));
  auto exit = process->wait(10s);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_EQ(exit->code, 137);
  EXPECT_TRUE(process->signal(SIGTERM));
}

TEST(Process, NamesAMissingProgram) {
  auto process = Process::spawn({.argv = {"/no/such/program"}});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().sysErrno(), ENOENT);
  EXPECT_NE(process.error().message().find("/no/such/program"), std::string::npos);
}

TEST(Process, SwapsDescriptorsAndPassesOnlyThose) {
  Pipe a = makePipe();
  Pipe b = makePipe();
  Pipe unrelated = makePipe();
  int x = a.write_end.get();
  int y = b.write_end.get();
  const std::string script = "echo for-a >&" + std::to_string(y) + "; echo for-b >&" +
                             std::to_string(x) + "; test -e /proc/self/fd/" +
                             std::to_string(unrelated.read_end.get()) + " && echo leaked >&" +
                             std::to_string(x) + "; true";
  auto process = Process::spawn({.argv = {"/bin/sh", "-c", script},
                                 .env = std::vector<std::string>{"PATH=/usr/bin:/bin"},
                                 .fds = {{x, y}, {y, x}}});
  ASSERT_TRUE(process) << process.error().message();
  a.write_end.reset();
  b.write_end.reset();
  EXPECT_EQ(drain(a.read_end.get()), "for-a\n");
  EXPECT_EQ(drain(b.read_end.get()), "for-b\n");
  EXPECT_EQ(process->wait(10s)->code, 0);
}

}  // namespace
}  // namespace flotilla
