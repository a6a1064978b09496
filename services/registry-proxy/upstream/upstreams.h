#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/metrics/metrics.h"
#include "common/os/mutex.h"
#include "registry-proxy/refusal.h"
#include "registry-proxy/upstream/challenge.h"
#include "registry-proxy/upstream/credentials.h"
#include "registry-proxy/upstream/http_fetcher.h"
#include "registry-proxy/upstream/token_cache.h"

namespace flotilla::registry {

/// One request of the distribution API, for whichever server holds the registry.
struct UpstreamCall {
  std::string method = "GET";
  std::string registry;    // "docker.io", "localhost:5000"
  std::string repository;  // "library/busybox"
  std::string resource;    // "manifests/latest", "blobs/sha256:...", "tags/list?n=10"
  std::vector<std::string> accept = {};
  std::uint64_t from = 0;  // first byte wanted
  Credentials credentials = {};
};

/// A small document.
struct UpstreamDocument {
  FetchHead head;
  std::string body;
};

/// The registries that this host may reach, each through its mirrors, its own server by TLS, or by
/// plain HTTP where that is allowed; with whatever authentication they ask for. Blocks.
/// Thread-safe.
class Upstreams {
 public:
  struct Options {
    std::vector<std::string> mirrors = {};   // of docker.io, base URLs
    std::vector<std::string> insecure = {};  // names, "host:port" and CIDRs; loopback always is
    HttpFetcher::Options http = {};
    int attempts = 4;  // at documents that a server fails to send
    std::chrono::milliseconds document_time = std::chrono::minutes(2);  // for all of them
    std::chrono::milliseconds first_pause{500};
    std::chrono::seconds longest_pause{30};  // a Retry-After beyond it is the client's to honour
  };

  Upstreams(Options options, Metrics& metrics);

  /// What waits to be asked again gives up now, and later calls do not wait. For the way down.
  void stop();
  /// Closes connections and forgets what was learnt of registries long ago. Now and then.
  void tidy();

  /// The whole answer, 200 or not below; at most 8 MiB, in Options::document_time: a server that
  /// drips must not keep a thread for good.
  Served<UpstreamDocument> document(const UpstreamCall& call);

  /// One exchange whose 200 or 206 goes to the sink that `choose` returns. Not repeated: who has
  /// got half of it knows best how to go on.
  Served<FetchHead> content(const UpstreamCall& call, const HttpFetcher::Choose& choose);

 private:
  struct Endpoint {
    Url base;
    TlsCheck tls = TlsCheck::Required;
    bool mirror = false;
  };
  struct Answer {
    FetchHead head;
    std::string error_body;
  };

  Result<std::vector<Endpoint>> endpointsOf(const std::string& registry);
  void remember(const std::string& registry, const Endpoint& endpoint);
  void forget(const std::string& registry);
  /// False when it was stopped.
  bool wait(std::chrono::milliseconds pause);
  Result<Answer> exchange(const UpstreamCall& call, const HttpFetcher::Choose& choose);
  Result<Answer> authorised(const Endpoint& endpoint, const UpstreamCall& call,
                            const HttpFetcher::Choose& choose);
  Result<Answer> send(const Endpoint& endpoint, const UpstreamCall& call,
                      const std::string& authorization, const HttpFetcher::Choose& choose);
  Result<std::string> authorize(const Endpoint& endpoint, const UpstreamCall& call,
                                const Challenge& challenge);
  Result<std::string> fetchToken(const Endpoint& endpoint, const UpstreamCall& call,
                                 const Challenge& challenge);

  const Options options_;
  HttpFetcher fetcher_;
  TokenCache tokens_;
  prometheus::Counter& requests_;
  prometheus::Counter& errors_;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ FLO_GUARDED_BY(mutex_) = false;
  struct Known {
    Endpoint endpoint;
    std::chrono::steady_clock::time_point until;
  };
  std::map<std::string, Known> known_ FLO_GUARDED_BY(mutex_);  // what answered last, by registry
};

}  // namespace flotilla::registry
