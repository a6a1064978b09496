#include "registry-proxy/upstream/upstreams.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

#include "common/http/percent.h"
#include "common/json/json.h"
#include "registry-proxy/upstream/dial.h"

namespace flotilla::registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubServer = "registry-1.docker.io";
constexpr std::size_t kMaxDocument = 8U << 20U;
constexpr std::size_t kMaxKnown = 1024;
constexpr std::size_t kMaxErrorBody = 64U << 10U;
constexpr std::chrono::minutes kRemembered{10};
constexpr std::chrono::seconds kTokenMargin{5};

bool isContent(int status) { return status == 200 || status == 206; }

bool isTemporary(int status) {
  constexpr std::array kTemporary = {408, 429, 500, 502, 503, 504};
  return std::find(kTemporary.begin(), kTemporary.end(), status) != kTemporary.end();
}

/// A body that is wanted whole; the exchange ends when it is too big or too late.
struct Collected {
  std::string body;
  bool too_big = false;
  bool too_late = false;

  HttpFetcher::Sink sink(std::size_t limit, Clock::time_point end) {
    body.clear();
    return [this, limit, end](std::string_view piece) {
      too_big = body.size() + piece.size() > limit;
      too_late = Clock::now() > end;
      if (too_big || too_late) {
        return false;
      }
      body += piece;
      return true;
    };
  }
};

std::optional<Challenge> challengeOf(const FetchHead& head) {
  std::string all;
  for (const auto& [name, value] : head.headers.fields()) {
    if (name.size() == 16 && std::equal(name.begin(), name.end(), "www-authenticate",
                                        [](char a, char b) { return (a | 0x20) == (b | 0x20); })) {
      all += all.empty() ? "" : ", ";
      all += value;
    }
  }
  return Challenge::parse(all);
}

std::chrono::milliseconds pauseBefore(int attempt, std::string_view retry_after,
                                      const Upstreams::Options& options) {
  int seconds = -1;
  const auto [end, failed] =
      std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  if (failed == std::errc{} && end == retry_after.data() + retry_after.size() && seconds >= 0) {
    return std::chrono::seconds(seconds);
  }
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto base = options.first_pause * (1 << std::min(attempt, 8));
  return base + std::chrono::milliseconds(
                    random() % static_cast<unsigned>(std::max<std::int64_t>(base.count() / 2, 1)));
}

constexpr const char* kTooLate = "the answer did not arrive in time";

std::string getWords(const Url& base, std::string_view why) {
  return "Get \"" + base.origin() + "/v2/\": " + std::string(why);
}

/// In dockerd's words: of a tag, it is HEAD that fails, because dockerd asks that first.
std::string callWords(const Url& base, const UpstreamCall& call, std::string_view why) {
  const bool tag =
      call.resource.starts_with("manifests/") && !call.resource.starts_with("manifests/sha256:");
  std::string method = tag ? "HEAD" : call.method;
  std::transform(method.begin() + 1, method.end(), method.begin() + 1,
                 [](char c) { return static_cast<char>(c | 0x20); });
  return method + " \"" + base.origin() + "/v2/" + call.repository + "/" + call.resource +
         "\": " + std::string(why);
}

}  // namespace

Upstreams::Upstreams(Options options, Metrics& metrics)
    : options_(std::move(options)),
      fetcher_(options_.http),
      requests_(metrics.counter("flotilla_registry_upstream_requests_total",
                                "Requests sent to upstream registries.")),
      errors_(metrics.counter("flotilla_registry_upstream_errors_total",
                              "Upstream requests that failed below HTTP or with a 5xx or 429.")) {}

Result<std::vector<Upstreams::Endpoint>> Upstreams::endpointsOf(const std::string& registry) {
  std::vector<Endpoint> endpoints;
  if (registry == kDockerHub) {
    for (const std::string& mirror : options_.mirrors) {
      FLO_TRY_ASSIGN(Url base, Url::parse(mirror));
      const bool insecure = !base.isTls() || isInsecure(base, options_.insecure);
      endpoints.push_back(
          {std::move(base), insecure ? TlsCheck::Skipped : TlsCheck::Required, true});
    }
  }
  {
    MutexLock lock(mutex_);
    if (const auto known = known_.find(registry);
        known != known_.end() && known->second.until > Clock::now()) {
      endpoints.push_back(known->second.endpoint);
      return endpoints;
    }
  }
  FLO_TRY_ASSIGN(
      Url own,
      Url::parse("https://" + std::string(registry == kDockerHub ? kDockerHubServer : registry)));
  if (!isInsecure(own, options_.insecure)) {
    endpoints.push_back({std::move(own), TlsCheck::Required});
    return endpoints;
  }
  endpoints.push_back({std::move(own), TlsCheck::Skipped});
  FLO_TRY_ASSIGN(Url plain, Url::parse("http://" + registry));
  endpoints.push_back({std::move(plain), TlsCheck::Skipped});
  return endpoints;
}

void Upstreams::remember(const std::string& registry, const Endpoint& endpoint) {
  if (!endpoint.mirror) {
    MutexLock lock(mutex_);
    if (known_.size() >= kMaxKnown) {
      known_.clear();  // the first request of each finds out again
    }
    known_.insert_or_assign(registry, Known{endpoint, Clock::now() + kRemembered});
  }
}

void Upstreams::forget(const std::string& registry) {
  MutexLock lock(mutex_);
  known_.erase(registry);
}

void Upstreams::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
}

void Upstreams::tidy() {
  fetcher_.closeIdle();
  MutexLock lock(mutex_);
  std::erase_if(known_,
                [now = Clock::now()](const auto& known) { return known.second.until <= now; });
}

bool Upstreams::wait(std::chrono::milliseconds pause) {
  MutexLock lock(mutex_);
  return !stopped_.wait_for(mutex_, pause, [this] { return stopping_; });
}

Result<Upstreams::Answer> Upstreams::send(const Endpoint& endpoint, const UpstreamCall& call,
                                          const std::string& authorization,
                                          const HttpFetcher::Choose& choose) {
  FetchRequest request{.method = call.method, .url = endpoint.base, .tls = endpoint.tls};
  request.url.target = "/v2/" + call.repository + "/" + call.resource;
  for (const std::string& type : call.accept) {
    request.headers.add("Accept", type);
  }
  if (call.from > 0) {
    request.headers.add("Range", "bytes=" + std::to_string(call.from) + "-");
  }
  if (!authorization.empty()) {
    request.headers.add("Authorization", authorization);
  }
  requests_.Increment();
  Collected refusal;
  const auto end = Clock::now() + options_.document_time;
  auto head = fetcher_.fetch(std::move(request), [&](const FetchHead& seen) {
    return isContent(seen.status) ? choose(seen) : refusal.sink(kMaxErrorBody, end);
  });
  if (!head || isTemporary(head->status)) {
    errors_.Increment();
  }
  if (refusal.too_late) {
    return Error{ErrorKind::DeadlineExceeded, getWords(endpoint.base, kTooLate)};
  }
  if (!head) {
    Error error = std::move(head).error();
    return Error{error.kind(), getWords(endpoint.base, error.message())};
  }
  return Answer{*std::move(head), std::move(refusal.body)};
}

Result<std::string> Upstreams::fetchToken(const Endpoint& endpoint, const UpstreamCall& call,
                                          const Challenge& challenge) {
  FLO_TRY_ASSIGN(Url realm, Url::parse(challenge.realm));
  if (endpoint.base.isTls() && endpoint.tls == TlsCheck::Required && !realm.isTls()) {
    return Error{ErrorKind::Unavailable,
                 "the token server of " + endpoint.base.authority() + " has no TLS"};
  }
  const std::string scope = "repository:" + call.repository + ":pull";
  FetchRequest request{.url = realm, .tls = endpoint.tls};
  if (!call.credentials.identity_token.empty()) {
    request.method = "POST";
    request.body = "grant_type=refresh_token&client_id=flotilla&service=" +
                   http::percentEncode(challenge.service) + "&scope=" + http::percentEncode(scope) +
                   "&refresh_token=" + http::percentEncode(call.credentials.identity_token);
  } else {
    request.url.target += request.url.target.find('?') == std::string::npos ? "?" : "&";
    request.url.target += "scope=" + http::percentEncode(scope) +
                          "&service=" + http::percentEncode(challenge.service);
    if (!call.credentials.user.empty()) {
      request.url.target += "&account=" + http::percentEncode(call.credentials.user);
      request.headers.add("Authorization", call.credentials.basic());
    }
  }
  requests_.Increment();
  Collected answer;
  auto head = fetcher_.fetch(std::move(request),
                             [&, end = Clock::now() + options_.document_time](const FetchHead&) {
                               return answer.sink(kMaxErrorBody, end);
                             });
  if (!head) {
    return Error{answer.too_late ? ErrorKind::DeadlineExceeded : ErrorKind::Unavailable,
                 "Get \"" + realm.origin() + realm.target +
                     "\": " + (answer.too_late ? kTooLate : head.error().message())};
  }
  if (head->status != 200) {
    const Refusal refusal = Refusal::ofAnswer(head->status, answer.body, "");
    std::string words = refusal.code == "UNAUTHORIZED" ? "unauthorized: " + refusal.message
                        : refusal.code == "DENIED"     ? "denied: " + refusal.message
                                                       : refusal.message;
    // A token server that is busy has refused nobody.
    return Error{isTemporary(head->status) ? ErrorKind::Unavailable : ErrorKind::Unauthenticated,
                 callWords(endpoint.base, call, words)};
  }
  const auto document = json::parse(answer.body);
  std::string token =
      document && document->is_object() ? json::stringOr(*document, "token", "").value_or("") : "";
  if (token.empty() && document && document->is_object()) {
    token = json::stringOr(*document, "access_token", "").value_or("");
  }
  if (token.empty()) {
    return Error{ErrorKind::Unauthenticated,
                 callWords(endpoint.base, call,
                           "authorization server did not include a token in the response")};
  }
  return token;
}

Result<std::string> Upstreams::authorize(const Endpoint& endpoint, const UpstreamCall& call,
                                         const Challenge& challenge) {
  const Credentials& mine = call.credentials;
  if (!mine.registry_token.empty()) {
    return "Bearer " + mine.registry_token;
  }
  if (challenge.scheme == Challenge::Scheme::Basic) {
    if (mine.user.empty()) {
      return Error{ErrorKind::Unauthenticated,
                   callWords(endpoint.base, call, "no basic auth credentials")};
    }
    return mine.basic();
  }
  FLO_TRY_ASSIGN(const std::string token, fetchToken(endpoint, call, challenge));
  return "Bearer " + token;
}

Result<Upstreams::Answer> Upstreams::authorised(const Endpoint& endpoint, const UpstreamCall& call,
                                                const HttpFetcher::Choose& choose) {
  UpstreamCall mine = call;
  if (endpoint.mirror) {
    mine.credentials = {};  // they are meant for the registry itself
  }
  const std::string key =
      endpoint.base.origin() + " " + call.repository + " " + mine.credentials.fingerprint();
  const std::string known = tokens_.find(key, Clock::now()).value_or("");
  FLO_TRY_ASSIGN(Answer answer, send(endpoint, mine, known, choose));
  const auto challenge = answer.head.status == 401 ? challengeOf(answer.head) : std::nullopt;
  if (!challenge) {
    return answer;
  }
  tokens_.remove(key);
  FLO_TRY_ASSIGN(const std::string authorization, authorize(endpoint, mine, *challenge));
  FLO_TRY_ASSIGN(answer, send(endpoint, mine, authorization, choose));
  if (answer.head.status != 401) {
    // Tokens say how long they live; a minute is the least that the protocol promises.
    tokens_.put(key, authorization, Clock::now() + std::chrono::minutes(1) - kTokenMargin);
  }
  return answer;
}

Result<Upstreams::Answer> Upstreams::exchange(const UpstreamCall& call,
                                              const HttpFetcher::Choose& choose) {
  FLO_TRY_ASSIGN(const auto endpoints, endpointsOf(call.registry));
  std::optional<Result<Answer>> last;
  for (const Endpoint& endpoint : endpoints) {
    bool delivered = false;
    last.emplace(authorised(endpoint, call, [&](const FetchHead& head) {
      delivered = true;
      return choose(head);
    }));
    if (*last && (isContent((*last)->head.status) || !endpoint.mirror)) {
      remember(call.registry, endpoint);
      return *std::move(last);
    }
    if (!*last && (delivered || last->error().kind() == ErrorKind::Unauthenticated)) {
      return *std::move(last);
    }
  }
  forget(call.registry);
  return *std::move(last);
}

Served<FetchHead> Upstreams::content(const UpstreamCall& call, const HttpFetcher::Choose& choose) {
  auto answer = exchange(call, choose);
  if (!answer) {
    return tl::unexpected(Refusal::ofError(answer.error()));
  }
  if (const auto challenge = challengeOf(answer->head);
      answer->head.status == 401 && challenge && challenge->error == "insufficient_scope") {
    return tl::unexpected(Refusal{
        .status = 401, .code = "DENIED", .message = "requested access to the resource is denied"});
  }
  if (!isContent(answer->head.status)) {
    return tl::unexpected(Refusal::ofAnswer(answer->head.status, answer->error_body,
                                            answer->head.headers.get("Retry-After")));
  }
  return std::move(answer->head);
}

Served<UpstreamDocument> Upstreams::document(const UpstreamCall& call) {
  const auto end = Clock::now() + options_.document_time;
  for (int attempt = 0;; ++attempt) {
    Collected document;
    auto head = content(call, [&](const FetchHead&) { return document.sink(kMaxDocument, end); });
    if (document.too_big) {
      const std::string words = call.resource + " of " + call.repository + " is larger than 8 MiB";
      return tl::unexpected(
          Refusal{.status = 502, .code = "SIZE_INVALID", .message = words, .cause = words});
    }
    if (document.too_late) {
      return tl::unexpected(
          Refusal{.status = 504, .code = "UNAVAILABLE", .message = kTooLate, .cause = kTooLate});
    }
    if (head) {
      return UpstreamDocument{*std::move(head), std::move(document.body)};
    }
    // What refused the connection will refuse it again; an exchange that broke may have had bad
    // luck.
    const Refusal& refusal = head.error();
    const bool worth_it =
        refusal.cause.empty() ? isTemporary(refusal.status) : refusal.status == 504;
    const auto pause = pauseBefore(attempt, refusal.retry_after, options_);
    if (!worth_it || attempt + 1 >= options_.attempts || pause > options_.longest_pause ||
        Clock::now() + pause > end || !wait(pause)) {
      return tl::unexpected(std::move(head).error());
    }
  }
}

}  // namespace flotilla::registry
