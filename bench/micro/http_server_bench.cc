// What one keep-alive connection and an idle one cost the HTTP server. Run on a quiet machine.

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/http/router.h"
#include "common/http/server.h"

namespace flotilla {
namespace {

/// A server on a thread of its own, as in the gateway.
class ServerThread {
 public:
  ServerThread() : reactor_(Reactor::create().value()) {
    server_ = std::make_unique<http::Server>(*reactor_, [](const http::ExchangePtr& exchange) {
      http::Response response;
      response.headers.add("Api-Version", "1.51");
      response.headers.add("Content-Type", "text/plain; charset=utf-8");
      response.body = "OK";
      exchange->respond(std::move(response));
    });
    thread_ = std::thread([this] { reactor_->run(); });
  }
  ~ServerThread() {
    reactor_->post([this] {
      server_.reset();
      reactor_->stop();
    });
    thread_.join();
  }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;

  UniqueFd connect() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
      std::abort();
    }
    std::promise<void> adopted;
    reactor_->post([this, fd = fds[0], &adopted] {
      server_->adopt(UniqueFd(fd), "bench");
      adopted.set_value();
    });
    adopted.get_future().wait();
    return UniqueFd(fds[1]);
  }

 private:
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

constexpr std::string_view kPing =
    "GET /_ping HTTP/1.1\r\nHost: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 "
    "(linux)\r\n"
    "Accept-Encoding: gzip\r\n\r\n";

void ask(int fd, benchmark::State& state) {
  std::array<char, 4096> buffer{};
  if (::write(fd, kPing.data(), kPing.size()) != static_cast<ssize_t>(kPing.size()) ||
      ::read(fd, buffer.data(), buffer.size()) <= 0) {
    state.SkipWithError("connection broke");
  }
}

void keepAlivePing(benchmark::State& state) {
  ServerThread server;
  UniqueFd client = server.connect();
  for (auto _ : state) {
    ask(client.get(), state);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(keepAlivePing)->UseRealTime();

/// Sixteen requests in one write: the server's own cost, with system calls and switches shared.
void pipelinedPing(benchmark::State& state) {
  constexpr int kDepth = 16;
  ServerThread server;
  UniqueFd client = server.connect();
  std::string batch;
  for (int i = 0; i < kDepth; ++i) {
    batch += kPing;
  }
  std::array<char, 65536> buffer{};
  ask(client.get(), state);
  std::size_t answer_size = 0;
  {
    ::write(client.get(), kPing.data(), kPing.size());
    answer_size = static_cast<std::size_t>(::read(client.get(), buffer.data(), buffer.size()));
  }
  for (auto _ : state) {
    if (::write(client.get(), batch.data(), batch.size()) < 0) {
      state.SkipWithError("connection broke");
    }
    for (std::size_t got = 0; got < answer_size * kDepth;) {
      const ssize_t n = ::read(client.get(), buffer.data(), buffer.size());
      if (n <= 0) {
        state.SkipWithError("connection broke");
        break;
      }
      got += static_cast<std::size_t>(n);
    }
  }
  state.SetItemsProcessed(state.iterations() * kDepth);
}
BENCHMARK(pipelinedPing)->UseRealTime();

/// Heap bytes of a connection that has served a request and waits.
void idleConnection(benchmark::State& state) {
  constexpr int kConnections = 1000;
  ServerThread server;
  for (auto _ : state) {
    std::vector<UniqueFd> clients;
    clients.reserve(kConnections);
    const std::size_t before = ::mallinfo2().uordblks;
    for (int i = 0; i < kConnections; ++i) {
      clients.push_back(server.connect());
      ask(clients.back().get(), state);
    }
    const std::size_t after = ::mallinfo2().uordblks;
    state.counters["bytes_per_connection"] = static_cast<double>(after - before) / kConnections;
  }
}
BENCHMARK(idleConnection)->Iterations(1);

void routeLookup(benchmark::State& state) {
  http::Router router({{"GET", "/_ping"},
                       {"GET", "/containers/json"},
                       {"POST", "/containers/create"},
                       {"GET", "/containers/{name}/json"},
                       {"POST", "/containers/{name}/start"},
                       {"GET", "/images/json"},
                       {"GET", "/images/{name:.*}/json"}});
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.match("GET", "/v1.51/containers/0123456789abcdef/json"));
  }
}
BENCHMARK(routeLookup);

}  // namespace
}  // namespace flotilla

BENCHMARK_MAIN();
