#include "registry-proxy/upstream/http_fetcher.h"

#include <httplib.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "registry-proxy/upstream/dial.h"

namespace flotilla::registry {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxRedirects = 5;
constexpr std::ptrdiff_t kMaxIdle = 8;     // connections kept to one server
constexpr std::size_t kMaxIdleOfAll = 64;  // and to all
constexpr std::chrono::minutes kIdleLives{1};
constexpr std::size_t kMaxDropped = 64U << 10U;  // of a body that nobody wants
constexpr std::chrono::seconds kMaxDropping{1};  // how long such a body is read at most
constexpr std::chrono::milliseconds kDialAgain{5000};

struct HostCertificates {
  std::vector<std::string> authorities;
  std::string client_cert, client_key;
};

HostCertificates certificatesFor(const std::string& authority,
                                 const std::vector<std::string>& folders) {
  HostCertificates found;
  for (const std::string& folder : folders) {
    std::error_code failed;
    for (fs::directory_iterator it(folder + "/" + authority, failed), end; !failed && it != end;
         it.increment(failed)) {
      const fs::path& path = it->path();
      if (path.extension() == ".crt") {
        found.authorities.push_back(path.string());
      } else if (path.extension() == ".cert") {
        found.client_cert = path.string();
        found.client_key = fs::path(path).replace_extension(".key").string();
      }
    }
  }
  return found;
}

/// What a TLS handshake failed of, from OpenSSL's queue of this thread.
std::string tlsFailure() {
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  std::string text = "tls: handshake failure";
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
      reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
    text = "http: server gave HTTP response to HTTPS client";
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    text = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  } else if (const char* words = ERR_reason_error_string(code); words != nullptr) {
    text = std::string("tls: ") + words;
  }
  ERR_clear_error();
  return text;
}

Error failureOf(httplib::Error error, const Url& url) {
  switch (error) {
    case httplib::Error::SSLConnection:
      return {ErrorKind::Unavailable, tlsFailure()};
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
      ERR_clear_error();
      return {ErrorKind::Unavailable,
              "tls: failed to verify certificate: x509: certificate signed by unknown authority"};
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout: {
      std::string why = dialFailure(url, kDialAgain);
      return {ErrorKind::Unavailable, why.empty() ? "dial tcp: connection lost" : std::move(why)};
    }
    case httplib::Error::Canceled:
      return {ErrorKind::Unavailable, "stopped"};
    case httplib::Error::Read:
      return {ErrorKind::DeadlineExceeded, "unexpected EOF or no answer in time"};
    default:
      return {ErrorKind::Unavailable, "exchange broke: " + httplib::to_string(error)};
  }
}

bool isRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool sameServer(const Url& a, const Url& b) { return a.origin() == b.origin(); }

}  // namespace

/// One request on one connection.
struct HttpFetcher::Attempt {
  httplib::Request request;
  std::optional<FetchHead> head;
  Sink sink;
  std::string location;
  std::size_t dropped = 0;
  std::chrono::steady_clock::time_point head_came{};

  Attempt(const FetchRequest& from, const Choose& choose) {
    request.method = from.method;
    request.path = from.url.target;
    request.headers.emplace("Host", from.url.authority());
    request.headers.emplace("User-Agent", "flotilla");
    request.headers.emplace("Accept-Encoding", "identity");
    for (const auto& [name, value] : from.headers.fields()) {
      request.headers.emplace(name, value);
    }
    if (from.method == "POST") {
      request.body = from.body;
      request.headers.emplace("Content-Type", "application/x-www-form-urlencoded");
    }
    request.response_handler = [this, &from, &choose](const httplib::Response& response) {
      takeHead(response, from.url);
      location = isRedirect(response.status) ? response.get_header_value("Location") : "";
      if (location.empty()) {
        sink = choose(*head);
      }
      return true;
    };
    request.content_receiver = [this](const char* data, std::size_t size, std::uint64_t,
                                      std::uint64_t) {
      if (sink) {
        return sink(std::string_view(data, size));
      }
      dropped += size;
      return !isOverlong();
    };
  }

  /// The head was all that was wanted, and reading on costs more than a new connection.
  [[nodiscard]] bool isOverlong() const {
    return dropped > kMaxDropped ||
           (dropped > 0 && std::chrono::steady_clock::now() - head_came > kMaxDropping);
  }

  void takeHead(const httplib::Response& response, const Url& url) {
    head_came = std::chrono::steady_clock::now();
    head.emplace();
    head->status = response.status;
    head->url = url;
    for (const auto& [name, value] : response.headers) {
      head->headers.add(name, value);
    }
  }
};

HttpFetcher::HttpFetcher(Options options) : options_(std::move(options)) {}
HttpFetcher::~HttpFetcher() = default;

HttpFetcher::Client HttpFetcher::connectTo(const FetchRequest& request) const {
  const Url& url = request.url;
  Client client;
  if (url.isTls()) {
    const HostCertificates own = certificatesFor(url.authority(), options_.certificate_folders);
    auto tls =
        std::make_unique<httplib::SSLClient>(url.host, url.port, own.client_cert, own.client_key);
    tls->enable_server_certificate_verification(request.tls == TlsCheck::Required);
    if (!own.authorities.empty()) {
      X509_STORE* store = X509_STORE_new();
      (void)X509_STORE_set_default_paths(store);
      for (const std::string& file : own.authorities) {
        (void)X509_STORE_load_file(store, file.c_str());
      }
      tls->set_ca_cert_store(store);  // its owner now
    }
    client = std::move(tls);
  } else {
    client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
  }
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  client->set_follow_location(false);
  client->set_decompress(false);
  client->set_url_encode(false);
  client->set_connection_timeout(options_.connect);
  client->set_read_timeout(options_.idle);
  client->set_write_timeout(options_.idle);
  return client;
}

HttpFetcher::Client HttpFetcher::take(const FetchRequest& request, const std::string& key) {
  closeIdle();
  {
    MutexLock lock(mutex_);
    const auto newest = std::find_if(idle_.rbegin(), idle_.rend(),
                                     [&key](const Idle& idle) { return idle.server == key; });
    if (newest != idle_.rend()) {
      Client client = std::move(newest->client);
      idle_.erase(std::next(newest).base());
      return client;
    }
  }
  return connectTo(request);
}

void HttpFetcher::giveBack(const std::string& key, Client client) {
  std::list<Idle> closed;  // outside the lock
  MutexLock lock(mutex_);
  const auto same = std::count_if(idle_.begin(), idle_.end(),
                                  [&key](const Idle& idle) { return idle.server == key; });
  if (same >= kMaxIdle) {
    return;
  }
  idle_.push_back({key, std::move(client), std::chrono::steady_clock::now()});
  if (idle_.size() > kMaxIdleOfAll) {
    closed.splice(closed.end(), idle_, idle_.begin());
  }
}

void HttpFetcher::closeIdle() {
  std::list<Idle> closed;
  const auto longest = std::chrono::steady_clock::now() - kIdleLives;
  MutexLock lock(mutex_);
  while (!idle_.empty() && idle_.front().since < longest) {
    closed.splice(closed.end(), idle_, idle_.begin());
  }
}

Result<FetchHead> HttpFetcher::once(const FetchRequest& request, const Choose& choose) {
  const std::string key =
      request.url.origin() + (request.tls == TlsCheck::Skipped ? " unchecked" : "");
  Client client = take(request, key);
  Attempt attempt(request, choose);
  httplib::Response response;
  httplib::Error error = httplib::Error::Success;
  ERR_clear_error();
  const bool sent = client->send(attempt.request, response, error);
  if (!sent && !attempt.isOverlong()) {
    if (error == httplib::Error::Success) {
      error = httplib::Error::Read;
    }
    return failureOf(error, request.url);  // the connection goes with its client
  }
  if (!attempt.head) {  // HEAD: no content handler ran
    attempt.takeHead(response, request.url);
  }
  if (sent) {
    giveBack(key, std::move(client));
  }
  if (!attempt.location.empty()) {
    attempt.head->headers.set("Location", attempt.location);
  }
  return *std::move(attempt.head);
}

Result<FetchHead> HttpFetcher::fetch(FetchRequest request, const Choose& choose) {
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    FLO_TRY_ASSIGN(FetchHead head, once(request, choose));
    const std::string location(head.headers.get("Location"));
    if (!isRedirect(head.status) || location.empty() || request.method == "POST") {
      return head;
    }
    FLO_TRY_ASSIGN(Url next, request.url.resolve(location));
    if (request.url.isTls() && !next.isTls() && request.tls == TlsCheck::Required) {
      return Error{ErrorKind::InvalidArgument, "redirected from TLS to " + next.origin()};
    }
    if (!sameServer(request.url, next)) {
      http::Headers kept;
      for (const auto& [name, value] : request.headers.fields()) {
        if (name != "Authorization") {
          kept.add(name, value);
        }
      }
      request.headers = std::move(kept);
    }
    request.url = std::move(next);
  }
  return Error{ErrorKind::InvalidArgument,
               "stopped after " + std::to_string(kMaxRedirects) + " redirects"};
}

}  // namespace flotilla::registry
