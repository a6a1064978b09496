#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/client/endpoint.h"
#include "cli/client/http_stream.h"
#include "common/error/result.h"

namespace httplib {
class ClientImpl;
}

namespace flotilla::cli {

using Query = std::vector<std::pair<std::string, std::string>>;

/// "path?a=b&c=d" with the values escaped; parameters with an empty value are left out.
std::string withQuery(std::string path, const Query& query);

/// Calls of the Docker Engine API. Paths carry no version: the daemon's own is used, and this
/// client only relies on what has not changed since 1.41. Every failure is an Error fit for the
/// user: an answer's own message as "Error response from daemon: ...", kind by its status. One
/// thread.
class ApiClient {
 public:
  explicit ApiClient(Endpoint endpoint);
  ApiClient(ApiClient&&) noexcept;
  ApiClient& operator=(ApiClient&&) = delete;
  ~ApiClient();

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  Result<nlohmann::json> get(const std::string& target);
  /// `body` null sends none; the answer may be empty (null).
  Result<nlohmann::json> post(const std::string& target, const nlohmann::json& body = nullptr);
  Result<void> remove(const std::string& target);

  /// A GET whose body is handed over in pieces as it comes; the sink may end it by false.
  Result<void> getStream(const std::string& target, const HttpStream::Sink& sink);
  /// Fills a buffer with the next piece of a body to send; 0 ends it.
  using Source = std::function<std::size_t(char* buffer, std::size_t size)>;
  /// A POST of an archive, chunked; the answer's body as text.
  Result<std::string> postStream(const std::string& target, const Source& source);

  /// A connection that has left HTTP: attach, exec start.
  Result<HttpStream> hijack(const std::string& target, const nlohmann::json& body = nullptr);
  /// POST whose header has arrived and whose body comes later (wait, pull): read it with finish(),
  /// or piece by piece from `stream`.
  struct Pending {
    HttpStream stream;
    HttpHead head;
    Result<nlohmann::json> finish();
  };
  Result<Pending> postAndWaitForHeader(
      const std::string& target, std::vector<std::pair<std::string, std::string>> headers = {});

 private:
  Result<HttpStream> open(const HttpRequest& request, HttpHead& head);

  Endpoint endpoint_;
  std::unique_ptr<httplib::ClientImpl> http_;
};

}  // namespace flotilla::cli
