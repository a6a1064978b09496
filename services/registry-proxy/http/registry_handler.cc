#include "registry-proxy/http/registry_handler.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/percent.h"
#include "common/json/json.h"
#include "registry-proxy/http/blob_reply.h"

namespace flotilla::registry {
namespace {

// Longer than an upstream may take to begin: connect, token and first byte.
constexpr std::chrono::seconds kBeginDeadline{90};
constexpr std::chrono::seconds kRestDeadline{5};
constexpr const char* kJson = "application/json";

void respond(const http::ExchangePtr& exchange, int status, std::string_view type,
             std::string body) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", type);
  response.headers.add("Docker-Distribution-Api-Version", "registry/2.0");
  response.body = std::move(body);
  exchange->respond(std::move(response));
}

void refuse(const http::ExchangePtr& exchange, const Refusal& refusal) {
  http::Response response;
  response.status = refusal.status;
  response.headers.add("Content-Type", kJson);
  response.headers.add("Docker-Distribution-Api-Version", "registry/2.0");
  if (refusal.status == 401) {
    response.headers.add("WWW-Authenticate", "Basic realm=\"upstream registry\"");
  }
  if (!refusal.cause.empty()) {
    response.headers.add("Flotilla-Cause", refusal.cause);
  }
  if (!refusal.retry_after.empty()) {
    response.headers.add("Retry-After", refusal.retry_after);
  }
  response.body = refusal.body();
  exchange->respond(std::move(response));
}

/// Of a manifest that does not say it itself.
std::string mediaTypeOf(const FetchHead& head, std::string_view body) {
  std::string given(head.headers.get("Content-Type"));
  if (!given.empty()) {
    return given;
  }
  const auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return "application/octet-stream";
  }
  const bool index = document->contains("manifests");
  return json::stringOr(*document, "mediaType",
                        index ? "application/vnd.oci.image.index.v1+json"
                              : "application/vnd.oci.image.manifest.v1+json")
      .value_or("application/octet-stream");
}

void collectDigests(const json::Json& value, std::vector<std::string>& out) {
  if (value.is_object()) {
    if (auto digest = json::stringOr(value, "digest", ""); digest && !digest->empty()) {
      out.push_back(*std::move(digest));
    }
  } else if (value.is_array()) {
    for (const json::Json& item : value) {
      collectDigests(item, out);
    }
  }
}

std::string repositoryKey(const RegistryRequest& request) {
  return request.registry + "/" + request.repository;
}

}  // namespace

RegistryHandler::RegistryHandler(Reactor& reactor, ThreadPool& work, ThreadPool& readers,
                                 Upstreams& upstreams, BlobCache& cache, BlobFetcher& fetcher,
                                 Metrics& metrics)
    : reactor_(reactor),
      work_(work),
      readers_(readers),
      upstreams_(upstreams),
      cache_(cache),
      fetcher_(fetcher),
      metrics_(metrics),
      hits_(metrics.counter("flotilla_registry_blob_requests_total",
                            "Blob requests by how they were served.", {{"result", "hit"}})),
      misses_(metrics.counter("flotilla_registry_blob_requests_total",
                              "Blob requests by how they were served.", {{"result", "miss"}})),
      joined_(metrics.counter("flotilla_registry_blob_requests_total",
                              "Blob requests by how they were served.", {{"result", "joined"}})),
      bytes_(
          metrics.counter("flotilla_registry_served_bytes_total", "Blob bytes sent to clients.")) {}

void RegistryHandler::handle(http::ExchangePtr exchange) {
  const http::Request& http_request = exchange->request();
  if (http_request.path == "/metrics") {
    respond(exchange, 200, "text/plain; version=0.0.4", metrics_.text());
    return;
  }
  if (http_request.path == "/healthz") {
    respond(exchange, 200, "text/plain", "ok\n");
    return;
  }
  if (http_request.method != "GET" && http_request.method != "HEAD") {
    refuse(exchange,
           {.status = 405, .code = "UNSUPPORTED", .message = "The operation is unsupported."});
    return;
  }
  auto request = RegistryRequest::parse(http_request);
  if (!request) {
    refuse(exchange, request.error());
    return;
  }
  if (!work_.post(
          [this, exchange, request = *std::move(request)] { dispatch(exchange, request); })) {
    refuse(exchange, {.status = 503,
                      .code = "TOOMANYREQUESTS",
                      .message = "too many requests at once",
                      .retry_after = "5"});
  }
}

void RegistryHandler::dispatch(const http::ExchangePtr& exchange, const RegistryRequest& request) {
  switch (request.kind) {
    case RegistryRequest::Kind::Ping:
      respond(exchange, 200, kJson, "{}");
      break;
    case RegistryRequest::Kind::Blob:
      answerBlob(exchange, request);
      break;
    case RegistryRequest::Kind::Manifest:
    case RegistryRequest::Kind::Tags:
      answerDocument(exchange, request);
      break;
  }
}

Served<UpstreamDocument> RegistryHandler::fetchDocument(const http::Request& http_request,
                                                        const RegistryRequest& request) {
  UpstreamCall call{.method = http_request.method,
                    .registry = request.registry,
                    .repository = request.repository,
                    .credentials = request.credentials};
  std::string key =
      http_request.method + " " + repositoryKey(request) + " " + request.credentials.fingerprint();
  if (request.kind == RegistryRequest::Kind::Tags) {
    call.resource = "tags/list";
    char separator = '?';
    for (const char* name : {"n", "last"}) {
      if (http_request.query.has(name)) {
        call.resource +=
            separator + std::string(name) + "=" + http::percentEncode(http_request.query.get(name));
        separator = '&';
      }
    }
  } else {
    call.resource = "manifests/" + request.reference;
  }
  for (const auto& [name, value] : http_request.headers.fields()) {
    if (name.size() == 6 && std::equal(name.begin(), name.end(), "accept",
                                       [](char a, char b) { return (a | 0x20) == b; })) {
      call.accept.emplace_back(value);
      key += ' ';
      key += value;
    }
  }
  key += " " + call.resource;
  return *flights_.share(key, [&] { return upstreams_.document(call); });
}

/// What the manifest names may be read by who could read the manifest.
void RegistryHandler::learn(const RegistryRequest& request, const UpstreamDocument& document) {
  const auto manifest = json::parse(document.body);
  if (!manifest || !manifest->is_object()) {
    return;
  }
  std::vector<std::string> digests;
  for (const char* member : {"config", "layers", "manifests"}) {
    if (const auto it = manifest->find(member); it != manifest->end()) {
      collectDigests(*it, digests);
    }
  }
  const std::string caller = request.credentials.fingerprint();
  for (const std::string& digest : digests) {
    grants_.grant(caller, repositoryKey(request), digest);
  }
}

void RegistryHandler::answerDocument(const http::ExchangePtr& exchange,
                                     const RegistryRequest& request) {
  const http::Request& http_request = exchange->request();
  auto document = fetchDocument(http_request, request);
  if (!document) {
    refuse(exchange, document.error());
    return;
  }
  http::Response response;
  response.headers.add("Docker-Distribution-Api-Version", "registry/2.0");
  if (request.kind == RegistryRequest::Kind::Tags) {
    response.headers.add("Content-Type", kJson);
    if (const auto link = document->head.headers.get("Link"); !link.empty()) {
      response.headers.add("Link", link);
    }
  } else {
    std::string digest(document->head.headers.get("Docker-Content-Digest"));
    const auto wanted = Digest::parse(request.reference);
    if (http_request.method == "GET") {
      const Digest real =
          digestOf(document->body, wanted ? wanted->algorithm() : Digest::Algorithm::Sha256);
      if (wanted && real != *wanted) {
        refuse(exchange, {.status = 502,
                          .code = "DIGEST_INVALID",
                          .message = "the upstream's manifest has digest " + real.text() +
                                     ", not " + wanted->text(),
                          .cause = "manifest verification failed for digest " + wanted->text()});
        return;
      }
      digest = real.text();
      learn(request, *document);
    }
    response.headers.add("Content-Type", mediaTypeOf(document->head, document->body));
    if (!digest.empty()) {
      response.headers.add("Docker-Content-Digest", digest);
    }
    if (http_request.method == "HEAD") {
      response.headers.add("Content-Length",
                           std::string(document->head.headers.get("Content-Length")));
    }
  }
  response.body = std::move(document->body);
  exchange->respond(std::move(response));
}

/// The upstream says whether this caller may read the blob of this repository.
Served<void> RegistryHandler::checkAccess(const RegistryRequest& request) {
  const std::string caller = request.credentials.fingerprint();
  if (grants_.has(caller, repositoryKey(request), request.reference)) {
    return {};
  }
  auto head = upstreams_.document({.method = "HEAD",
                                   .registry = request.registry,
                                   .repository = request.repository,
                                   .resource = "blobs/" + request.reference,
                                   .credentials = request.credentials});
  if (!head) {
    return tl::unexpected(std::move(head).error());
  }
  grants_.grant(caller, repositoryKey(request), request.reference);
  return {};
}

/// The blob, begun at least, for a caller who may read it.
Served<std::shared_ptr<Blob>> RegistryHandler::obtain(const RegistryRequest& request,
                                                      const Digest& digest) {
  for (;;) {
    auto lookup = cache_.acquire(digest);
    if (!lookup) {
      return tl::unexpected(Refusal::ofError(lookup.error()));
    }
    if (lookup->fetch) {
      misses_.Increment();
      fetcher_.start(digest, lookup->blob,
                     {.registry = request.registry,
                      .repository = request.repository,
                      .resource = "blobs/" + request.reference,
                      .credentials = request.credentials});
    } else {
      if (auto allowed = checkAccess(request); !allowed) {
        return tl::unexpected(std::move(allowed).error());
      }
      (lookup->blob->progress().complete ? hits_ : joined_).Increment();
    }
    if (!lookup->blob->waitBegun(kBeginDeadline)) {
      return tl::unexpected(Refusal{.status = 504,
                                    .code = "UNAVAILABLE",
                                    .message = "the upstream does not answer",
                                    .cause = "the upstream does not answer"});
    }
    const auto progress = lookup->blob->progress();
    if (!progress.failure) {
      if (lookup->fetch) {
        grants_.grant(request.credentials.fingerprint(), repositoryKey(request), request.reference);
      }
      return std::move(lookup->blob);
    }
    if (lookup->fetch) {
      return tl::unexpected(*progress.failure);
    }
    // Another caller's fetch failed, perhaps for want of a right that this one has.
  }
}

void RegistryHandler::answerBlob(const http::ExchangePtr& exchange,
                                 const RegistryRequest& request) {
  const auto digest = Digest::parse(request.reference);
  if (exchange->request().method == "HEAD") {
    answerBlobHead(exchange, request, *digest);
    return;
  }
  auto blob = obtain(request, *digest);
  if (!blob) {
    refuse(exchange, blob.error());
    return;
  }
  sendBlob(exchange, *digest, *std::move(blob));
}

void RegistryHandler::answerBlobHead(const http::ExchangePtr& exchange,
                                     const RegistryRequest& request, const Digest& digest) {
  auto head = upstreams_.document({.method = "HEAD",
                                   .registry = request.registry,
                                   .repository = request.repository,
                                   .resource = "blobs/" + request.reference,
                                   .credentials = request.credentials});
  if (!head) {
    refuse(exchange, head.error());
    return;
  }
  grants_.grant(request.credentials.fingerprint(), repositoryKey(request), request.reference);
  http::Response response;
  response.headers.add("Content-Type", "application/octet-stream");
  response.headers.add("Content-Length", head->head.headers.get("Content-Length"));
  response.headers.add("Docker-Content-Digest", digest.text());
  response.headers.add("Accept-Ranges", "bytes");
  exchange->respond(std::move(response));
}

void RegistryHandler::sendBlob(const http::ExchangePtr& exchange, const Digest& digest,
                               std::shared_ptr<Blob> blob) {
  const auto size = blob->progress().size;
  if (!size) {
    refuse(exchange, {.status = 502,
                      .code = "UNAVAILABLE",
                      .message = "the upstream does not tell the blob's size",
                      .cause = "the upstream does not tell the blob's size"});
    return;
  }
  http::Response head;
  head.headers.add("Content-Type", "application/octet-stream");
  head.headers.add("Docker-Content-Digest", digest.text());
  head.headers.add("ETag", "\"" + digest.text() + "\"");
  head.headers.add("Accept-Ranges", "bytes");
  head.headers.add("Cache-Control", "max-age=31536000");
  BlobPart part{.blob = std::move(blob), .first = 0, .end = *size};
  if (const auto range = ByteRange::parse(exchange->request().headers.get("Range"))) {
    const auto bounds = range->within(*size);
    if (!bounds) {
      http::Response unsatisfiable;
      unsatisfiable.status = 416;
      unsatisfiable.headers.add("Content-Range", "bytes */" + std::to_string(*size));
      exchange->respond(std::move(unsatisfiable));
      return;
    }
    part.first = bounds->first;
    part.end = bounds->end;
    head.status = 206;
    head.headers.add("Content-Range", "bytes " + std::to_string(part.first) + "-" +
                                          std::to_string(part.end - 1) + "/" +
                                          std::to_string(*size));
  }
  if (part.first > 0 && part.blob->waitBeyond(part.first, kRestDeadline)) {
    // Who goes on where a reply broke off is told why it did: what was wrong then may be wrong
    // again.
    if (const auto progress = part.blob->progress(); progress.failure) {
      refuse(exchange, *progress.failure);
      return;
    }
  }
  head.headers.add("Content-Length", std::to_string(part.end - part.first));
  replyWithBlob(reactor_, readers_, exchange, std::move(head), std::move(part),
                [this](std::uint64_t count) { bytes_.Increment(static_cast<double>(count)); });
}

}  // namespace flotilla::registry
