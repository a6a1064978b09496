#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/http/exchange.h"
#include "common/os/mutex.h"
#include "registry-proxy/upstream/url.h"

namespace httplib {
class ClientImpl;
}

namespace flotilla::registry {

/// Whether the server's certificate must be right.
enum class TlsCheck { Required, Skipped };

struct FetchRequest {
  std::string method = "GET";
  Url url;
  http::Headers headers;
  std::string body;  // of a POST, a form
  TlsCheck tls = TlsCheck::Required;
};

struct FetchHead {
  int status = 0;
  http::Headers headers;
  Url url;  // of the server that answered, after redirects
};

/// Plain HTTP exchanges with servers elsewhere, on kept-alive connections, with a deadline on
/// connecting, on every pause, and none on the whole. Follows redirects of GET and HEAD; what
/// authorises the first request never goes to another host. Blocks. Thread-safe.
class HttpFetcher {
 public:
  struct Options {
    std::chrono::seconds connect{15};
    std::chrono::seconds idle{30};  // without a byte
    /// Folders with <host[:port]>/{*.crt, client.cert, client.key}, as dockerd's certs.d.
    std::vector<std::string> certificate_folders = {};
  };

  explicit HttpFetcher(Options options);
  ~HttpFetcher();
  HttpFetcher(const HttpFetcher&) = delete;
  HttpFetcher& operator=(const HttpFetcher&) = delete;

  /// Receives a piece of the body; false ends the exchange (Unavailable "stopped").
  using Sink = std::function<bool(std::string_view piece)>;
  /// Sees the final head and chooses who gets the body; nullptr drops it.
  using Choose = std::function<Sink(const FetchHead& head)>;

  /// Errors: Unavailable for what did not connect or broke, DeadlineExceeded, InvalidArgument
  /// (redirects that lead nowhere); all in the words dockerd's users know.
  Result<FetchHead> fetch(FetchRequest request, const Choose& choose);

  /// Closes connections that were kept and not used for a while. Now and then.
  void closeIdle();

 private:
  using Client = std::unique_ptr<httplib::ClientImpl>;
  struct Attempt;
  struct Idle {
    std::string server;
    Client client;
    std::chrono::steady_clock::time_point since;
  };

  Result<FetchHead> once(const FetchRequest& request, const Choose& choose);
  Client take(const FetchRequest& request, const std::string& key);
  void giveBack(const std::string& key, Client client);
  Client connectTo(const FetchRequest& request) const;

  const Options options_;
  Mutex mutex_;
  std::list<Idle> idle_ FLO_GUARDED_BY(mutex_);  // the longest unused first
};

}  // namespace flotilla::registry
