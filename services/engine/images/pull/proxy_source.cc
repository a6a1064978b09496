#include "engine/images/pull/proxy_source.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "common/json/json.h"
#include "engine/images/pull/manifest.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kConnect{10};
constexpr std::chrono::seconds kIdle{120};  // the proxy's own deadlines are shorter
constexpr std::size_t kMaxDocument = 8U << 20U;

/// A registry's error as the proxy passes it on.
struct Failure {
  int status = 0;
  std::string code, message, cause;
  std::chrono::seconds retry_after{0};
};

/// Retry-After as seconds; zero for a date, which few registries send, and for nonsense.
std::chrono::seconds parseRetryAfter(const std::string& text) {
  std::uint32_t seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(failed == std::errc{} && end == text.data() + text.size() ? seconds
                                                                                        : 0);
}

/// "MANIFEST_UNKNOWN" as Docker prints it: "manifest unknown".
std::string spoken(std::string code) {
  std::transform(code.begin(), code.end(), code.begin(), [](unsigned char c) {
    return c == '_' ? ' ' : static_cast<char>(std::tolower(c));
  });
  return code;
}

Failure readFailure(const httplib::Response& response, std::string_view body) {
  Failure failure{.status = response.status,
                  .cause = response.get_header_value("Flotilla-Cause"),
                  .retry_after = parseRetryAfter(response.get_header_value("Retry-After"))};
  const auto document = json::parse(body);
  if (document && document->is_object() && document->contains("errors") &&
      (*document)["errors"].is_array() && !(*document)["errors"].empty() &&
      (*document)["errors"][0].is_object()) {
    failure.code = json::stringOr((*document)["errors"][0], "code", "").value_or("");
    failure.message = json::stringOr((*document)["errors"][0], "message", "").value_or("");
  }
  return failure;
}

Error wordedError(const Failure& failure, const RegistryCaller& caller) {
  const std::string words = spoken(failure.code) + ": " + failure.message;
  if (!failure.cause.empty()) {
    if (failure.status == 504 || failure.status == 503) {
      return {ErrorKind::Unavailable, failure.cause};
    }
    const bool refused =
        failure.status == 401 && !failure.cause.ends_with("no basic auth credentials");
    return {refused ? ErrorKind::Unauthenticated : ErrorKind::Internal, failure.cause};
  }
  if (failure.code == "MANIFEST_UNKNOWN") {
    return {ErrorKind::NotFound, "manifest for " + caller.name.familiar() + " not found: " + words};
  }
  if (failure.code == "NAME_UNKNOWN") {
    return {ErrorKind::NotFound,
            "repository " + caller.name.familiarName() + " not found: " + words};
  }
  if (failure.code == "DENIED") {
    return {ErrorKind::NotFound,
            "pull access denied for " + caller.name.familiarName() +
                ", repository does not exist or may require 'docker login': " + words};
  }
  if (failure.code == "BLOB_UNKNOWN") {
    return {ErrorKind::NotFound, "unknown blob"};
  }
  if (failure.status == 401) {
    return {ErrorKind::Unauthenticated, words};
  }
  if (failure.status == 429) {
    return Error{ErrorKind::Unavailable, words}.retryIn(failure.retry_after);
  }
  if (failure.status >= 500) {
    return Error{ErrorKind::Unavailable, failure.message}.retryIn(failure.retry_after);
  }
  return {ErrorKind::Internal, words};
}

class ProxySource final : public RegistrySource {
 public:
  explicit ProxySource(net::Address address) : address_(std::move(address)) {}

  Result<RegistryManifest> manifest(const RegistryCaller& caller,
                                    const std::string& reference) override {
    std::string digest;
    std::string type;
    FLO_TRY_ASSIGN(std::string text,
                   document(caller, "manifests/" + reference, [&](const httplib::Response& head) {
                     digest = head.get_header_value("Docker-Content-Digest");
                     type = head.get_header_value("Content-Type");
                   }));
    const std::string real = "sha256:" + sha256Hex(text);
    if (isSha256Digest(reference) && reference != real) {
      return Error{ErrorKind::Internal, "manifest verification failed for digest " + reference};
    }
    return RegistryManifest{std::move(type), real, std::move(text)};
  }

  Result<std::vector<std::string>> tags(const RegistryCaller& caller) override {
    FLO_TRY_ASSIGN(const std::string text,
                   document(caller, "tags/list", [](const httplib::Response&) {}));
    FLO_TRY_ASSIGN(const json::Json list, json::parse(text));
    std::vector<std::string> tags;
    const auto found = list.is_object() ? list.find("tags") : list.end();
    if (list.is_object() && found != list.end() && found->is_array()) {
      for (const json::Json& tag : *found) {
        if (tag.is_string()) {
          tags.push_back(tag.get<std::string>());
        }
      }
    }
    return tags;
  }

  Result<void> blob(const RegistryCaller& caller, const std::string& digest, std::uint64_t from,
                    const Take& take) override {
    bool stopped = false;
    const auto sink = [&](std::string_view piece) {
      stopped = !take(piece);
      return !stopped;
    };
    auto got = exchange(
        caller, "blobs/" + digest, from, [](const httplib::Response&) {}, sink);
    if (!got && stopped) {
      return Error{ErrorKind::Unavailable, "cancelled"};
    }
    return got;
  }

 private:
  using SeeHead = std::function<void(const httplib::Response&)>;

  [[nodiscard]] std::unique_ptr<httplib::ClientImpl> connect() const {
    std::unique_ptr<httplib::ClientImpl> client;
    if (address_.kind == net::Address::Kind::Unix) {
      client = std::make_unique<httplib::ClientImpl>(address_.path, 80);
      client->set_address_family(AF_UNIX);
    } else {
      client = std::make_unique<httplib::ClientImpl>(address_.host, address_.port);
      client->set_tcp_nodelay(true);
    }
    client->set_connection_timeout(kConnect);
    client->set_read_timeout(kIdle);
    client->set_write_timeout(kIdle);
    client->set_decompress(false);
    return client;
  }

  Result<std::string> document(const RegistryCaller& caller, const std::string& resource,
                               const SeeHead& see) {
    std::string text;
    const auto got = exchange(caller, resource, 0, see, [&text](std::string_view piece) {
      text += piece;
      return text.size() <= kMaxDocument;
    });
    if (text.size() > kMaxDocument) {
      return Error{ErrorKind::Internal,
                   resource + " of " + caller.name.familiarName() + " is larger than 8 MiB"};
    }
    FLO_TRY(got);
    return text;
  }

  Result<void> exchange(const RegistryCaller& caller, const std::string& resource,
                        std::uint64_t from, const SeeHead& see, const Take& take) {
    httplib::Request request;
    request.method = "GET";
    request.path = "/v2/" + caller.name.path + "/" + resource + "?ns=" + caller.name.domain;
    request.headers = {
        {"Host", "registry-proxy"}, {"Accept-Encoding", "identity"}, {"User-Agent", "flotilla"}};
    for (const std::string& type : acceptedManifests()) {
      request.headers.emplace("Accept", type);
    }
    if (!caller.auth.empty()) {
      request.headers.emplace("X-Registry-Auth", caller.auth);
    }
    if (from > 0) {
      request.headers.emplace("Range", "bytes=" + std::to_string(from) + "-");
    }
    std::string error_body;
    int status = 0;
    request.response_handler = [&](const httplib::Response& response) {
      status = response.status;
      if (isContent(status, from)) {
        see(response);
      }
      return true;
    };
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                   std::uint64_t) {
      const std::string_view piece(data, size);
      if (isContent(status, from)) {
        return take(piece);
      }
      error_body += piece;
      return error_body.size() <= kMaxDocument;
    };
    const auto client = connect();
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    if (!client->send(request, response, error)) {
      const bool absent =
          error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout;
      return Error{ErrorKind::Unavailable,
                   (absent ? "cannot reach the registry proxy at " + address_.toString() + ": "
                           : "the registry proxy broke off: ") +
                       httplib::to_string(error)};
    }
    return isContent(response.status, from)
               ? Result<void>{}
               : Result<void>(wordedError(readFailure(response, error_body), caller));
  }

  static bool isContent(int status, std::uint64_t from) { return status == (from > 0 ? 206 : 200); }

  const net::Address address_;
};

}  // namespace

std::unique_ptr<RegistrySource> makeProxySource(net::Address address) {
  return std::make_unique<ProxySource>(std::move(address));
}

}  // namespace flotilla::engine
