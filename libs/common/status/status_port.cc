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
  Port(Reactor& reactor, UniqueFd listener, const Metrics& metrics, Options options)
      : metrics_(metrics),
        options_(std::move(options)),
        server_(reactor,
                [this](const http::ExchangePtr& exchange) {
                  exchange->respond(answer(exchange->request()));
                }),
        acceptor_(reactor, std::move(listener), {.on_connection = [this](UniqueFd connection) {
                    const std::string peer = net::peerName(connection.get());
                    server_.adopt(
                        std::move(connection), peer,
                        options_.address.kind == net::Address::Kind::Tcp ? options_.tls : nullptr);
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
      const auto healthy = options_.health();
      return healthy ? text(200, "ok\n") : text(503, healthy.error().message() + "\n");
    }
    return text(404, "page not found\n");
  }

  const Metrics& metrics_;
  const Options options_;
  http::Server server_;
  net::Acceptor acceptor_;
};

}  // namespace

Result<std::unique_ptr<StatusPort>> StatusPort::listen(Reactor& reactor, const Metrics& metrics,
                                                       Options options) {
  FLO_TRY_ASSIGN(UniqueFd listener, net::listenOn(options.address));
  auto port = std::make_unique<Port>(reactor, std::move(listener), metrics, std::move(options));
  FLO_TRY(port->start());
  return std::unique_ptr<StatusPort>(std::move(port));
}

}  // namespace flotilla
