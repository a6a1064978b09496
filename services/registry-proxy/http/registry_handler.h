#pragma once

#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"
#include "common/http/exchange.h"
#include "common/metrics/metrics.h"
#include "registry-proxy/cache/blob_fetcher.h"
#include "registry-proxy/http/access_grants.h"
#include "registry-proxy/http/document_flights.h"
#include "registry-proxy/http/registry_request.h"

namespace flotilla::registry {

/// The pull side of the distribution API over cache and upstreams, and /metrics, /healthz. The
/// registry meant is named by ?ns= (as containerd's mirrors are asked), docker.io without one.
class RegistryHandler {
 public:
  RegistryHandler(Reactor& reactor, ThreadPool& work, ThreadPool& readers, Upstreams& upstreams,
                  BlobCache& cache, BlobFetcher& fetcher, Metrics& metrics);

  /// On the reactor's thread; does not block.
  void handle(http::ExchangePtr exchange);

 private:
  void dispatch(const http::ExchangePtr& exchange, const RegistryRequest& request);
  void answerDocument(const http::ExchangePtr& exchange, const RegistryRequest& request);
  void answerBlob(const http::ExchangePtr& exchange, const RegistryRequest& request);
  void answerBlobHead(const http::ExchangePtr& exchange, const RegistryRequest& request,
                      const Digest& digest);
  Served<UpstreamDocument> fetchDocument(const http::Request& http_request,
                                         const RegistryRequest& request);
  Served<void> checkAccess(const RegistryRequest& request);
  Served<std::shared_ptr<Blob>> obtain(const RegistryRequest& request, const Digest& digest);
  void sendBlob(const http::ExchangePtr& exchange, const Digest& digest,
                std::shared_ptr<Blob> blob);
  void learn(const RegistryRequest& request, const UpstreamDocument& document);

  Reactor& reactor_;
  ThreadPool& work_;
  ThreadPool& readers_;
  Upstreams& upstreams_;
  BlobCache& cache_;
  BlobFetcher& fetcher_;
  Metrics& metrics_;
  AccessGrants grants_;
  DocumentFlights flights_;
  prometheus::Counter& hits_;
  prometheus::Counter& misses_;
  prometheus::Counter& joined_;
  prometheus::Counter& bytes_;
};

}  // namespace flotilla::registry
