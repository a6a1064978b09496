#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla {

/// Named string values of a job or of its result, with typed getters (after Docker's engine.Env).
class JobEnv {
 public:
  void set(std::string key, std::string value) { values_[std::move(key)] = std::move(value); }
  void setBool(std::string key, bool value) { set(std::move(key), value ? "1" : "0"); }
  void setInt(std::string key, std::int64_t value) { set(std::move(key), std::to_string(value)); }
  /// Lists are kept as a JSON array of strings.
  void setList(std::string key, const std::vector<std::string>& values);

  [[nodiscard]] bool has(std::string_view key) const;
  /// "" when absent.
  [[nodiscard]] std::string get(std::string_view key) const;
  /// Docker's rule for query booleans: "", "0", "no", "false", "none" (any case) are false.
  [[nodiscard]] bool getBool(std::string_view key) const;
  /// Errors: InvalidArgument naming key and value. Absent or empty is `fallback`.
  [[nodiscard]] Result<std::int64_t> getInt(std::string_view key, std::int64_t fallback) const;
  [[nodiscard]] std::vector<std::string> getList(std::string_view key) const;

  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& values() const {
    return values_;
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// Docker Engine API version as asked by the client, e.g. {1, 51}.
struct ApiVersion {
  int major_number = 1;
  int minor_number = 51;
  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

/// One unit of work an engine does, like a Unix process: a name, arguments, an environment, a
/// status. A value that can cross a process boundary; bulk bytes never travel in it
/// (StreamEndpoint).
struct Job {
  std::string id;                 // 32 hex digits, unique; a job delivered twice has the same id
  std::string name;               // "container_create", ...
  std::vector<std::string> args;  // positional: usually the object's name or id
  JobEnv env;                     // options (query parameters)
  std::string body;               // JSON document of the request, "" when none
  ApiVersion api_version;
  std::string request_id;                             // follows the request into every log
  std::optional<std::chrono::milliseconds> lifetime;  // not started later than this after submit
};

/// Where the bytes of a job are: the gateway connects there, sends "<ticket>\n", and moves bytes
/// both ways until both sides are closed (half-close respected).
struct StreamEndpoint {
  std::string address;  // "unix:<path>", or "tls:<host>:<port>" on another host
  std::string ticket;   // 32 hex digits, random, single use, expires after 10 s
};

/// Sent at most once, before the result: the job is under way and the client may be told so
/// (decisions.md 1). With a stream the gateway connects it to the client at once; without one it
/// writes the response's headers and sends the result as the body later.
struct Established {
  std::optional<StreamEndpoint> stream;
  JobEnv env;  // facts that shape the response's headers, e.g. "tty" = 1
};

struct JobOutput {
  std::string body;  // JSON for the client, "" when none
  JobEnv env;        // facts for the route, e.g. "warnings"
};

using JobResult = Result<JobOutput>;

/// The worker's side of one running job. Shared by the queue and whoever continues the job later;
/// thread-safe. A context destroyed without complete() completes as Internal.
class JobContext {
 public:
  virtual ~JobContext() = default;
  [[nodiscard]] virtual const Job& job() const = 0;
  /// At most once, before complete(); later calls are ignored.
  virtual void established(Established message) = 0;
  /// Exactly once; later calls are ignored.
  virtual void complete(JobResult result) = 0;
  [[nodiscard]] virtual bool cancelled() const = 0;
  /// Runs `fn` once when the job is cancelled (client gone, deadline), at once if it already is.
  /// Replaces an earlier one. Dropped by complete(). May run on any thread; must not block.
  virtual void onCancel(std::function<void()> fn) = 0;
};

using JobContextPtr = std::shared_ptr<JobContext>;

}  // namespace flotilla
