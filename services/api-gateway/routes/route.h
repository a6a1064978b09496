#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api-gateway/streams/dispatch.h"
#include "common/http/exchange.h"
#include "common/job/job.h"

namespace flotilla::gateway {

/// How a query parameter is checked on its way into a job's environment.
enum class ParameterKind {
  Text,     // first value as it is
  Integer,  // refused unless decimal
  List,     // all values
};

struct Parameter {
  std::string_view name;
  ParameterKind kind = ParameterKind::Text;
};

struct Call;

/// One row of the API. Rows are constant data; handlers are stateless.
struct Route {
  std::string_view method;
  std::string_view pattern;  // "/containers/{name:.*}/json": holes become the job's arguments
  std::string_view job;      // "" where no job exists
  void (*handler)(const Call&);
  std::span<const Parameter> parameters = {};
  std::string_view body_type = {};  // Go's name of the request document, for error messages
  int success = 200;
};

/// A matched request. Copied by handlers that go on later; the rest outlives it.
struct Call {
  http::ExchangePtr exchange;
  const Route& route;
  std::vector<std::string> holes;
  ApiVersion version;
  Dispatch& dispatch;

  [[nodiscard]] const http::Request& request() const { return exchange->request(); }
};

/// The job a route stands for: its name, arguments and environment from the request.
/// Errors: InvalidArgument in Docker's words.
Result<Job> makeJob(const Call& call);

/// Reads a JSON body of at most 4 MiB, checks its syntax and continues with the text ("{}" for an
/// empty body); answers what is wrong with it itself. On the loop's thread.
void readJson(const Call& call, std::function<void(std::string body)> then);

/// Like readJson for documents that must be there.
void readRequiredJson(const Call& call, std::function<void(std::string body)> then);

/// Answers with the error.
void refuse(const Call& call, const Error& error);

/// Docker's rule for booleans in a query: "", "0", "no", "false", "none" are false.
bool queryBool(const http::Query& query, std::string_view key);

/// Handlers for the plain rows: the job's output with the row's status of success.
void answerQuery(const Call& call);         // no body
void answerJson(const Call& call);          // with a JSON body in the job
void answerRequiredJson(const Call& call);  // the body may not be empty
/// 501 naming the endpoint.
void answerNotImplemented(const Call& call);

}  // namespace flotilla::gateway
