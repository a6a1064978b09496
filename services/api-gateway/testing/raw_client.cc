#include "api-gateway/testing/raw_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace flotilla::gateway {
namespace {

constexpr int kPatienceMs = 10000;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

RawClient::RawClient(const std::string& socket_path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    fd_.reset();
  }
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawClient::request(std::string_view method, std::string_view target, std::string_view body,
                        std::string_view extra_headers) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: docker\r\n");
  if (!body.empty()) {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (extra_headers.find("Content-Type") == std::string_view::npos) {
      text += "Content-Type: application/json\r\n";
    }
  }
  text.append(extra_headers).append("\r\n").append(body);
  send(text);
}

RawClient::Answer RawClient::call(std::string_view method, std::string_view target,
                                  std::string_view body, std::string_view extra_headers) {
  request(method, target, body, extra_headers);
  if (method != "HEAD") {
    return answer();
  }
  Answer only_head = head();
  only_head.complete = only_head.status != 0;
  return only_head;
}

bool RawClient::fill() {
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (!fd_ || ::poll(&waiting, 1, kPatienceMs) <= 0) {
    return false;
  }
  std::array<char, 65536> piece{};
  const ssize_t size = ::recv(fd_.get(), piece.data(), piece.size(), 0);
  if (size <= 0) {
    return false;
  }
  buffer_.append(piece.data(), static_cast<std::size_t>(size));
  return true;
}

std::string RawClient::readUntil(std::string_view text) {
  std::size_t at = 0;
  while ((at = buffer_.find(text)) == std::string::npos) {
    if (!fill()) {
      return std::exchange(buffer_, {});
    }
  }
  std::string taken = buffer_.substr(0, at + text.size());
  buffer_.erase(0, at + text.size());
  return taken;
}

std::string RawClient::readAll() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

std::string RawClient::readExactly(std::size_t size) {
  while (buffer_.size() < size && fill()) {
  }
  std::string taken = buffer_.substr(0, size);
  buffer_.erase(0, taken.size());
  return taken;
}

RawClient::Answer RawClient::head() {
  Answer answer;
  answer.head = readUntil("\r\n\r\n");
  if (!answer.head.ends_with("\r\n\r\n")) {
    return answer;
  }
  answer.status = std::atoi(answer.head.substr(answer.head.find(' ') + 1, 3).c_str());
  std::size_t at = answer.head.find("\r\n") + 2;
  for (std::size_t end = 0; (end = answer.head.find("\r\n", at)) != at; at = end + 2) {
    const std::string line = answer.head.substr(at, end - at);
    const std::size_t colon = line.find(": ");
    answer.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  return answer;
}

void RawClient::readChunks(Answer& answer) {
  for (;;) {
    const std::string line = readUntil("\r\n");
    if (!line.ends_with("\r\n")) {
      return;
    }
    const std::size_t size = std::strtoul(line.c_str(), nullptr, 16);
    std::string chunk = readExactly(size + 2);
    if (chunk.size() != size + 2) {
      return;
    }
    answer.body += chunk.substr(0, size);
    if (size == 0) {
      answer.complete = true;
      return;
    }
  }
}

RawClient::Answer RawClient::answer() {
  Answer result = head();
  if (result.status == 0) {
    return result;
  }
  if (result.headers["transfer-encoding"] == "chunked") {
    readChunks(result);
  } else if (result.headers.contains("content-length")) {
    const std::size_t size = std::strtoul(result.headers["content-length"].c_str(), nullptr, 10);
    result.body = readExactly(size);
    result.complete = result.body.size() == size;
  } else if (result.status == 204 || result.status == 304) {
    result.complete = true;
  } else {
    result.body = readAll();
    result.complete = true;
  }
  return result;
}

void RawClient::shutdownWrite() { ::shutdown(fd_.get(), SHUT_WR); }

}  // namespace flotilla::gateway
