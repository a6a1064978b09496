// Bytes: the container's log written and read back, output and input of attached streams.
#include <fmt/format.h>

#include <thread>

#include "bench/scenario.h"

namespace flotilla::bench {
namespace {

constexpr int kRounds = 3;

/// Shell text that writes `megabytes` of 100-byte lines to stdout at the speed of a pipe: the block
/// is prepared once, so that the container's own work is no part of what is measured.
std::string writeLines(int megabytes) {
  return fmt::format(
      "yes "
      "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
      "2345678"
      " | head -c 1000000 > /dev/shm/block; i=0; while [ $i -lt {} ]; do cat /dev/shm/block; "
      "i=$((i+1)); done",
      megabytes);
}

double megabytesPerSecond(double megabytes, double milliseconds) {
  return megabytes / (milliseconds / 1000);
}

Result<void> measureLogOnce(const Context& context, std::size_t side, Pair<Samples>& write,
                            Pair<Samples>& read) {
  const int megabytes = context.amounts.log_megabytes;
  const ContainerSpec spec{
      .image = context.image, .command = writeLines(megabytes), .network = "none"};
  FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
  FLO_TRY_ASSIGN(const auto id, docker.create(spec));
  FLO_TRY(docker.start(id));
  Stopwatch watch;
  FLO_TRY(docker.wait(id));
  write[side].add(megabytesPerSecond(megabytes, watch.lap()));
  FLO_TRY_ASSIGN(const auto size,
                 docker.getLength("/v1.41/containers/" + id + "/logs?stdout=1&stderr=1"));
  read[side].add(megabytesPerSecond(megabytes, watch.lap()));
  if (size < static_cast<unsigned long long>(megabytes) * 1000000) {
    return Error(ErrorKind::Internal,
                 fmt::format("the log lost bytes on {}: {} of {} MB", context.sides[side].name,
                             size / 1000000, megabytes));
  }
  return docker.remove(id);
}

/// Reads until the other side closes; bytes seen.
Result<unsigned long long> drain(cli::HttpStream& stream) {
  std::vector<char> buffer(256 * 1024);
  unsigned long long total = 0;
  for (;;) {
    FLO_TRY_ASSIGN(const auto got, stream.readRaw(buffer));
    if (got == 0) {
      return total;
    }
    total += got;
  }
}

/// Output of a run that was attached before it started (it also goes to the log).
Result<double> attachedOutput(const Context& context, const Side& side) {
  const int megabytes = context.amounts.log_megabytes;
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(
      const auto id,
      docker.create({.image = context.image, .command = writeLines(megabytes), .network = "none"}));
  FLO_TRY_ASSIGN(auto attach, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(auto stream,
                 std::move(attach).hijack(
                     "/v1.41/containers/" + id + "/attach?stream=1&stdout=1&stderr=1", ""));
  FLO_TRY(docker.start(id));
  Stopwatch watch;
  FLO_TRY(drain(stream));
  const double rate = megabytesPerSecond(megabytes, watch.lap());
  FLO_TRY(docker.wait(id));
  FLO_TRY(docker.remove(id));
  return rate;
}

Result<double> execOutput(const Context& context, const Side& side, const std::string& container) {
  const int megabytes = context.amounts.stream_megabytes;
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  const std::string command =
      fmt::format(R"({{"AttachStdout":true,"Cmd":["/bin/sh","-c","{}"]}})", writeLines(megabytes));
  FLO_TRY_ASSIGN(const auto created,
                 docker.post("/v1.41/containers/" + container + "/exec", command, 201));
  const auto quote = created.find("\":\"");
  const std::string id = quote == std::string::npos ? "" : created.substr(quote + 3, 64);
  Stopwatch watch;
  FLO_TRY_ASSIGN(auto stream, std::move(docker).hijack("/v1.41/exec/" + id + "/start",
                                                       R"({"Detach":false,"Tty":false})"));
  FLO_TRY(drain(stream));
  return megabytesPerSecond(megabytes, watch.lap());
}

/// Bytes sent into a container that throws them away, until it has seen the end of its input.
Result<double> attachedInput(const Context& context, const Side& side) {
  const int megabytes = context.amounts.stream_megabytes;
  FLO_TRY_ASSIGN(auto docker, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(const auto id, docker.create({.image = context.image,
                                               .command = "exec cat >/dev/null",
                                               .network = "none",
                                               .open_stdin = true}));
  FLO_TRY_ASSIGN(auto attach, Docker::connect(side.endpoint));
  FLO_TRY_ASSIGN(auto stream,
                 std::move(attach).hijack(
                     "/v1.41/containers/" + id + "/attach?stream=1&stdin=1&stdout=1", ""));
  FLO_TRY(docker.start(id));
  const std::string block(1000000, 'x');
  Stopwatch watch;
  for (int sent = 0; sent < megabytes; ++sent) {
    FLO_TRY(stream.connection().writeAll(block));
  }
  FLO_TRY(stream.connection().shutdownWrite());
  FLO_TRY(docker.wait(id));
  const double rate = megabytesPerSecond(megabytes, watch.lap());
  FLO_TRY(docker.remove(id));
  return rate;
}

void addRate(Context& context, const std::string& figure, const Pair<Samples>& rates) {
  context.report->add({figure, "MB/s", rates[0].median(), rates[1].median(), Better::Higher});
}

}  // namespace

Result<void> measureLogs(Context& context) {
  Pair<Samples> write;
  Pair<Samples> read;
  for (int round = 0; round < kRounds; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      FLO_TRY(measureLogOnce(context, side, write, read));
    }
  }
  addRate(context, "container writes its log", write);
  addRate(context, "logs reads it back", read);
  return {};
}

Result<void> measureStreams(Context& context) {
  Pair<Samples> output;
  Pair<Samples> exec;
  Pair<Samples> input;
  Pair<std::string> ids;
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
    FLO_TRY_ASSIGN(ids[side],
                   docker.launch({.image = context.image, .command = "exec sleep 3600"}));
  }
  for (int round = 0; round < kRounds; ++round) {
    for (const std::size_t side : {0U, 1U}) {
      FLO_TRY_ASSIGN(const double output_rate, attachedOutput(context, context.sides[side]));
      output[side].add(output_rate);
      FLO_TRY_ASSIGN(const double exec_rate, execOutput(context, context.sides[side], ids[side]));
      exec[side].add(exec_rate);
      FLO_TRY_ASSIGN(const double input_rate, attachedInput(context, context.sides[side]));
      input[side].add(input_rate);
    }
  }
  addRate(context, "attached output of a run (also logged)", output);
  addRate(context, "exec output", exec);
  addRate(context, "attached input", input);
  for (const std::size_t side : {0U, 1U}) {
    FLO_TRY_ASSIGN(auto docker, Docker::connect(context.sides[side].endpoint));
    FLO_TRY(docker.remove(ids[side], true));
  }
  return {};
}

}  // namespace flotilla::bench
