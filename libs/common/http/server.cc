#include "common/http/server.h"

#include <utility>

#include "common/http/connection.h"
#include "common/net/socket_stream.h"
#include "common/net/tls_stream.h"
#include "common/os/random.h"

namespace flotilla::http {

Server::Server(Reactor& reactor, Handler handler, ServerOptions options)
    : context_(new ServerContext{
          .reactor = reactor, .handler = std::move(handler), .options = std::move(options)}) {
  context_->id_prefix = randomHex(4) + "-";
}

Server::~Server() {
  context_->drained = nullptr;
  while (!context_->connections.empty()) {
    (*context_->connections.begin())->closeNow();
  }
}

void Server::adopt(UniqueFd connection, std::string peer, net::TlsContextPtr tls) {
  if (context_->stopping) {
    return;
  }
  net::StreamPtr stream = tls ? net::makeTlsStream(context_->reactor, std::move(connection),
                                                   {.context = std::move(tls)})
                              : net::makeSocketStream(context_->reactor, std::move(connection));
  auto adopted = std::make_shared<Connection>(context_, std::move(stream), std::move(peer));
  context_->connections.insert(adopted);
  adopted->start();
}

void Server::stop(std::function<void()> drained) {
  context_->stopping = true;
  context_->drained = std::move(drained);
  // closeWhenIdle() may remove its connection from the set.
  std::vector<std::shared_ptr<Connection>> all(context_->connections.begin(),
                                               context_->connections.end());
  for (const auto& connection : all) {
    connection->closeWhenIdle();
  }
  if (context_->connections.empty() && context_->drained) {
    context_->reactor.post(std::exchange(context_->drained, nullptr));
  }
}

std::size_t Server::connections() const { return context_->connections.size(); }
std::size_t Server::activeRequests() const { return context_->active; }

}  // namespace flotilla::http
