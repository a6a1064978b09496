#include "common/status/status_port.h"

#include <utility>

#include "common/http/server.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"

namespace flotilla {
namespace {

http::Response text(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = std::move(body);
  return response;
}

class Port final : public StatusPort {
 public:
  Port(Reactor& reactor, UniqueFd listener, const Metrics& metrics, std::function<Result<void>()> health)
      : metrics_(metrics),
        health_(std::move(health)),
        server_(reactor, [this](const http::ExchangePtr& exchange) { exchange->respond(answer(exchange->request())); }),
        acceptor_(reactor, std::move(listener), {.on_connection = [this](UniqueFd connection) {
                    const std::string peer = net::peerName(connection.get());
                    server_.adopt(std::move(connection), peer);
                  }}) {}

  Result<void> start() { return acceptor_.start(); }

 private:
  http::Response answer(const http::Request& request) {
    if (request.method != "GET") {
      return text(405, "only GET\n");
    }
    if (request.path == "/metrics") {
      return text(200, metrics_.text());
    }
    if (request.path == "/healthz") {
      const auto healthy = health_();
      return healthy ? text(200, "ok\n") : text(503, healthy.error().message() + "\n");
    }
    return text(404, "page not found\n");
  }

  const Metrics& metrics_;
  const std::function<Result<void>()> health_;
  http::Server server_;
  net::Acceptor acceptor_;
};

}  // namespace

Result<std::unique_ptr<StatusPort>> StatusPort::listen(Reactor& reactor, const net::Address& address,
                                                       const Metrics& metrics,
                                                       std::function<Result<void>()> health) {
  FLO_TRY_ASSIGN(UniqueFd listener, net::listenOn(address));
  auto port = std::make_unique<Port>(reactor, std::move(listener), metrics, std::move(health));
  FLO_TRY(port->start());
  return std::unique_ptr<StatusPort>(std::move(port));
}

}  // namespace flotilla
