#include "cli/client/api_client.h"

#include <httplib.h>

#include "common/http/percent.h"

namespace flotilla::cli {
namespace {

constexpr int kForEver = 365 * 24 * 3600;  // seconds: waits and followed logs end when they end

ErrorKind kindOfStatus(int status) {
  switch (status) {
    case 304:
      return ErrorKind::NotModified;
    case 400:
      return ErrorKind::InvalidArgument;
    case 401:
      return ErrorKind::Unauthenticated;
    case 403:
      return ErrorKind::PermissionDenied;
    case 404:
      return ErrorKind::NotFound;
    case 409:
      return ErrorKind::Conflict;
    case 501:
      return ErrorKind::NotImplemented;
    case 503:
      return ErrorKind::Unavailable;
    default:
      return ErrorKind::Internal;
  }
}

Error errorOf(int status, const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  std::string message =
      parsed.is_object() && parsed.contains("message") && parsed["message"].is_string()
          ? parsed["message"].get<std::string>()
          : body;
  while (message.ends_with('\n')) {
    message.pop_back();
  }
  if (message.empty()) {
    message = "the daemon answered with status " + std::to_string(status);
  }
  return {kindOfStatus(status), "Error response from daemon: " + message};
}

Result<nlohmann::json> parseAnswer(const std::string& body) {
  if (body.empty()) {
    return nlohmann::json();
  }
  auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (parsed.is_discarded()) {
    return Error(ErrorKind::Internal, "the daemon's answer is not JSON: " + body.substr(0, 200));
  }
  return parsed;
}

std::unique_ptr<httplib::ClientImpl> makeHttp(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::Unix) {
    auto http = std::make_unique<httplib::ClientImpl>(endpoint.path, 80);
    http->set_address_family(AF_UNIX);
    return http;
  }
  if (!endpoint.tls.enabled) {
    return std::make_unique<httplib::ClientImpl>(endpoint.host, endpoint.port);
  }
  auto http = std::make_unique<httplib::SSLClient>(endpoint.host, endpoint.port, endpoint.tls.cert,
                                                   endpoint.tls.key);
  if (!endpoint.tls.ca_cert.empty()) {
    http->set_ca_cert_path(endpoint.tls.ca_cert);
  }
  http->enable_server_certificate_verification(endpoint.tls.verify);
  return http;
}

Error cannotReach(const Endpoint& endpoint, httplib::Error error) {
  // The socket tells more than httplib passes on: no such file, permission, refused.
  const auto attempt = Connection::connect(endpoint, 10'000);
  if (!attempt) {
    return attempt.error();
  }
  return {ErrorKind::Unavailable,
          "error during connect to " + endpoint.text() + ": " + httplib::to_string(error)};
}

Result<std::string> bodyOf(const Endpoint& endpoint, const httplib::Result& result) {
  if (!result) {
    return cannotReach(endpoint, result.error());
  }
  if (result->status >= 300) {
    return errorOf(result->status, result->body);
  }
  return result->body;
}

}  // namespace

std::string withQuery(std::string path, const Query& query) {
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (!value.empty()) {
      path += separator + name + "=" + http::percentEncode(value);
      separator = '&';
    }
  }
  return path;
}

ApiClient::ApiClient(Endpoint endpoint)
    : endpoint_(std::move(endpoint)), http_(makeHttp(endpoint_)) {
  http_->set_connection_timeout(30);
  http_->set_read_timeout(kForEver);
  http_->set_write_timeout(kForEver);
  http_->set_default_headers({{"Host", endpoint_.hostHeader()}, {"User-Agent", "flotilla"}});
  // The paths are already escaped where they must be.
  http_->set_url_encode(false);
}

ApiClient::ApiClient(ApiClient&&) noexcept = default;
ApiClient::~ApiClient() = default;

Result<nlohmann::json> ApiClient::get(const std::string& target) {
  FLO_TRY_ASSIGN(const auto body, bodyOf(endpoint_, http_->Get(target)));
  return parseAnswer(body);
}

Result<nlohmann::json> ApiClient::post(const std::string& target, const nlohmann::json& body) {
  const std::string text = body.is_null() ? std::string() : body.dump();
  FLO_TRY_ASSIGN(const auto answer,
                 bodyOf(endpoint_, http_->Post(target, text, "application/json")));
  return parseAnswer(answer);
}

Result<void> ApiClient::remove(const std::string& target) {
  FLO_TRY(bodyOf(endpoint_, http_->Delete(target)));
  return {};
}

Result<void> ApiClient::getStream(const std::string& target, const HttpStream::Sink& sink) {
  int status = 0;
  bool stopped = false;
  std::string failure;
  const auto on_header = [&status](const httplib::Response& response) {
    status = response.status;
    return true;
  };
  const auto on_body = [&](const char* data, std::size_t size) {
    if (status >= 300) {
      failure.append(data, size);
      return true;
    }
    stopped = !sink({data, size});
    return !stopped;
  };
  const auto result = http_->Get(target, on_header, on_body);
  if (stopped) {
    return {};
  }
  if (status >= 300) {
    return errorOf(status, failure);
  }
  if (!result) {
    return cannotReach(endpoint_, result.error());
  }
  return {};
}

Result<std::string> ApiClient::postStream(const std::string& target, const Source& source) {
  std::vector<char> buffer(256 * 1024);
  const auto provide = [&](std::size_t, httplib::DataSink& sink) {
    const std::size_t got = source(buffer.data(), buffer.size());
    if (got == 0) {
      sink.done();
      return true;
    }
    return sink.write(buffer.data(), got);
  };
  return bodyOf(endpoint_, http_->Post(target, httplib::ContentProviderWithoutLength(provide),
                                       "application/x-tar"));
}

Result<HttpStream> ApiClient::open(const HttpRequest& request, HttpHead& head) {
  FLO_TRY_ASSIGN(auto connection, Connection::connect(endpoint_));
  HttpStream stream(std::move(connection), endpoint_.hostHeader());
  FLO_TRY(stream.send(request));
  FLO_TRY_ASSIGN(head, stream.readHead());
  if (head.status >= 300) {
    std::string body;
    FLO_TRY(stream.readBody(head, [&body](std::string_view piece) {
      body += piece;
      return true;
    }));
    return errorOf(head.status, body);
  }
  return stream;
}

Result<HttpStream> ApiClient::hijack(const std::string& target, const nlohmann::json& body) {
  HttpHead head;
  return open({.method = "POST",
               .target = target,
               .body = body.is_null() ? std::string() : body.dump(),
               .upgrade = true},
              head);
}

Result<ApiClient::Pending> ApiClient::postAndWaitForHeader(
    const std::string& target, std::vector<std::pair<std::string, std::string>> headers) {
  HttpHead head;
  FLO_TRY_ASSIGN(
      auto stream,
      open({.method = "POST", .target = target, .body = {}, .headers = std::move(headers)}, head));
  return Pending{std::move(stream), head};
}

Result<nlohmann::json> ApiClient::Pending::finish() {
  std::string body;
  FLO_TRY(stream.readBody(head, [&body](std::string_view piece) {
    body += piece;
    return true;
  }));
  return parseAnswer(body);
}

}  // namespace flotilla::cli
