#include "common/discovery/token_client.h"

#include <httplib.h>

#include <utility>

#include "common/json/json.h"

namespace flotilla {
namespace {

constexpr std::string_view kClusters = "/clusters";
constexpr std::size_t kMaxAnswer = 4U << 20U;

std::unique_ptr<httplib::Client> connect(const std::string& origin, const TokenOptions& options) {
  auto client = std::make_unique<httplib::Client>(origin, options.cert_file, options.key_file);
  if (!options.ca_file.empty()) {
    client->set_ca_cert_path(options.ca_file);
  }
  client->set_connection_timeout(options.timeout);
  client->set_read_timeout(options.timeout);
  client->set_write_timeout(options.timeout);
  return client;
}

Error unreachable(const std::string& origin, httplib::Error error) {
  return {ErrorKind::Unavailable, "discovery service " + origin + ": " + httplib::to_string(error)};
}

/// One exchange, with the answer's body up to kMaxAnswer.
Result<httplib::Response> exchange(const std::string& origin, const TokenOptions& options,
                                   const std::string& method, const std::string& path,
                                   const std::string& body = "") {
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!body.empty()) {
    request.set_header("Content-Type", "application/json");
  }
  std::string received;
  bool too_long = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    too_long = received.size() + size > kMaxAnswer;
    received.append(data, too_long ? 0 : size);
    return !too_long;
  };
  const auto client = connect(origin, options);
  auto answer = client->send(request);
  if (too_long) {
    return Error{ErrorKind::Unavailable,
                 "discovery service " + origin + ": its answer is too long"};
  }
  if (!answer) {
    return unreachable(origin, answer.error());
  }
  answer->body = std::move(received);
  return *std::move(answer);
}

Error refused(const std::string& what, const httplib::Response& response) {
  std::string message = response.body.substr(0, response.body.find('\n')).substr(0, 200);
  return {ErrorKind::Unavailable, what + ", Discovery service returned " +
                                      std::to_string(response.status) + " HTTP status code" +
                                      (message.empty() ? "" : " (" + message + ")")};
}

/// "https://host:port" and "/base" of a service's URL.
Result<std::pair<std::string, std::string>> splitUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos ||
      (url.substr(0, scheme) != "https" && url.substr(0, scheme) != "http")) {
    return Error{
        ErrorKind::InvalidArgument,
        "a discovery service's URL begins with https:// (or http://): " + std::string(url)};
  }
  const std::size_t slash = url.find('/', scheme + 3);
  std::string path(slash == std::string_view::npos ? "" : url.substr(slash));
  while (path.ends_with('/')) {
    path.pop_back();
  }
  return std::pair(std::string(url.substr(0, slash)), std::move(path));
}

}  // namespace

Result<TokenClient> TokenClient::parse(std::string_view scheme, std::string_view rest,
                                       TokenOptions options) {
  const std::size_t slash = rest.rfind('/');
  const std::string_view token = rest.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (token.empty()) {
    return Error{ErrorKind::InvalidArgument, "token is empty"};
  }
  if (slash == std::string_view::npos || slash == 0) {
    return Error{ErrorKind::InvalidArgument,
                 "which discovery service? Docker's own has ended: token://<host>/<base>/" +
                     std::string(token)};
  }
  const std::string url = std::string(scheme == "token+http" ? "http" : "https") + "://" +
                          std::string(rest.substr(0, slash));
  FLO_TRY_ASSIGN(auto parts, splitUrl(url));
  return TokenClient(std::move(parts.first),
                     parts.second + std::string(kClusters) + "/" + std::string(token),
                     std::move(options));
}

Result<std::string> TokenClient::create(std::string_view service, const TokenOptions& options) {
  FLO_TRY_ASSIGN(const auto parts, splitUrl(service));
  FLO_TRY_ASSIGN(const auto answer,
                 exchange(parts.first, options, "POST", parts.second + std::string(kClusters)));
  if (answer.status < 200 || answer.status > 299) {
    return refused("Failed to create a cluster", answer);
  }
  std::string token = answer.body;
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) {
    token.pop_back();
  }
  return token;
}

Result<std::vector<std::string>> TokenClient::list() const {
  FLO_TRY_ASSIGN(const auto answer, exchange(origin_, options_, "GET", path_));
  if (answer.status != 200) {
    return refused("Failed to fetch entries", answer);
  }
  const auto list = json::parse(answer.body);
  std::vector<std::string> entries;
  if (!list || (!list->is_array() && !list->is_null())) {
    return Error{ErrorKind::Unavailable,
                 "Failed to fetch entries, " + origin_ + " does not answer with a list"};
  }
  for (const json::Json& entry : *list) {
    if (entry.is_string() && !entry.get_ref<const std::string&>().empty()) {
      entries.push_back(entry.get<std::string>());
    }
  }
  return entries;
}

Result<void> TokenClient::announce(const std::string& entry, std::chrono::seconds ttl) const {
  FLO_TRY_ASSIGN(const auto answer, exchange(origin_, options_, "POST",
                                             path_ + "?ttl=" + std::to_string(ttl.count()), entry));
  if (answer.status < 200 || answer.status > 299) {
    return refused("Failed to register", answer);
  }
  return {};
}

}  // namespace flotilla
