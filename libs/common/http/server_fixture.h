#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http/server.h"
#include "common/testing/loop.h"

namespace flotilla::http {

/// A client's view of one response.
struct Answer {
  int status = 0;
  std::string head;  // with the empty line
  std::string body;  // chunked coding removed
  bool complete = false;

  [[nodiscard]] bool has(std::string_view text) const {
    return head.find(text) != std::string::npos;
  }
};

/// A server over socket pairs: tests speak raw bytes to it. The loop runs on the test's thread,
/// inside the waiting functions only.
class ServerFixture : public ::testing::Test {
 protected:
  void serve(Server::Handler handler, ServerOptions options = {}) {
    server_ = std::make_unique<Server>(*reactor_, std::move(handler), std::move(options));
  }

  /// A client's end of a new connection, not blocking.
  UniqueFd connect(net::TlsContextPtr tls = nullptr) {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    server_->adopt(UniqueFd(fds[0]), "test", std::move(tls));
    return UniqueFd(fds[1]);
  }

  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }
  /// Serves whatever is ready now.
  void turn(int times = 3) {
    for (int i = 0; i < times; ++i) {
      reactor_->post([this] { reactor_->stop(); });
      reactor_->run();
    }
  }

  void send(const UniqueFd& client, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0) {
        if (errno != EAGAIN) {
          return;  // the server may close on us while we abuse it
        }
        turn();
        continue;
      }
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// What came since the last time; false at the end of input.
  static bool receive(const UniqueFd& client, std::string& into) {
    std::array<char, 65536> buffer{};
    for (;;) {
      const ssize_t n = ::recv(client.get(), buffer.data(), buffer.size(), 0);
      if (n <= 0) {
        return n < 0 && errno == EAGAIN;
      }
      into.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }

  /// The next response; `rest` keeps what follows it between calls.
  Answer answer(const UniqueFd& client, std::string& rest, std::string_view method = "GET") {
    Answer result;
    bool open = true;
    const bool came = until([&] {
      open = receive(client, rest) && open;
      result = parse(rest, method, !open);
      return result.complete || !open;
    });
    EXPECT_TRUE(came) << "no complete response in: " << rest.substr(0, 300);
    return result;
  }
  Answer answer(const UniqueFd& client) {
    std::string rest;
    Answer result = answer(client, rest);
    EXPECT_EQ(rest, "") << "bytes after the response";
    return result;
  }
  Answer ask(std::string_view request) {
    UniqueFd client = connect();
    send(client, request);
    std::string rest;
    return answer(client, rest, request.substr(0, request.find(' ')));
  }
  bool isClosed(const UniqueFd& client) {
    return until([&] {
      std::string ignored;
      return !receive(client, ignored);
    });
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<Server> server_;

 private:
  static Answer parse(std::string& bytes, std::string_view method, bool ended) {
    Answer result;
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string::npos) {
      return result;
    }
    result.head = bytes.substr(0, head_end + 4);
    std::from_chars(result.head.data() + 9, result.head.data() + 12, result.status);
    std::string body = bytes.substr(head_end + 4);
    std::size_t used = 0;
    const std::size_t length_at = result.head.find("Content-Length: ");
    if (result.status < 200 || result.status == 204 || result.status == 304 || method == "HEAD") {
      result.complete = true;
    } else if (result.has("Transfer-Encoding: chunked")) {
      result.complete = unchunk(body, result.body, used);
    } else if (length_at != std::string::npos) {
      const std::size_t length = std::stoul(result.head.substr(length_at + 16));
      result.complete = body.size() >= length;
      result.body = body.substr(0, length);
      used = result.body.size();
    } else {
      result.complete = ended;
      result.body = body;
      used = body.size();
    }
    if (result.complete) {
      bytes = body.substr(used);
    }
    return result;
  }

  static bool unchunk(const std::string& coded, std::string& plain, std::size_t& used) {
    plain.clear();
    used = 0;
    for (;;) {
      const std::size_t line_end = coded.find("\r\n", used);
      if (line_end == std::string::npos) {
        return false;
      }
      const std::size_t size = std::stoul(coded.substr(used, line_end - used), nullptr, 16);
      if (coded.size() < line_end + 2 + size + 2) {
        return false;
      }
      plain += coded.substr(line_end + 2, size);
      used = line_end + 2 + size + 2;
      if (size == 0) {
        return true;
      }
    }
  }
};

/// Answers 200 with "METHOD PATH body" once the body is there; errors with their status.
inline void echo(const ExchangePtr& exchange) {
  exchange->readBody(1U << 20U, [exchange](Result<std::string> body) {
    if (!body) {
      return exchange->respond({.status = httpStatus(body.error().kind()),
                                .headers = {},
                                .body = body.error().message()});
    }
    const Request& request = exchange->request();
    exchange->respond({.headers = {}, .body = request.method + " " + request.path + " " + *body});
  });
}

}  // namespace flotilla::http
