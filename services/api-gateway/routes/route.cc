#include "api-gateway/routes/route.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <utility>

#include "api-gateway/http/json_syntax.h"
#include "api-gateway/http/reply.h"
#include "api-gateway/streams/document_call.h"

namespace flotilla::gateway {
namespace {

constexpr std::size_t kBodyLimit = 4U << 20U;

enum class EmptyBody { Allowed, Refused };

std::string lowerTrimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  const auto last = text.find_last_not_of(" \t");
  std::string lower(first == std::string_view::npos ? "" : text.substr(first, last - first + 1));
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// dockerd wants application/json, with or without parameters, wherever it reads a document.
Result<void> checkContentType(const http::Request& request, bool has_body) {
  const std::string_view given = request.headers.get("Content-Type");
  if (given.empty() && !has_body) {
    return {};
  }
  const std::string type = lowerTrimmed(given.substr(0, given.find(';')));
  if (type.empty()) {
    return Error{ErrorKind::InvalidArgument,
                 "malformed Content-Type header (" + std::string(given) + "): mime: no media type"};
  }
  if (type != kJsonType) {
    return Error{
        ErrorKind::InvalidArgument,
        "unsupported Content-Type header (" + std::string(given) + "): must be 'application/json'"};
  }
  return {};
}

Result<std::string> checkBody(const Call& call, std::string body, EmptyBody empty) {
  FLO_TRY(checkContentType(call.request(), !body.empty()));
  if (body.empty() && empty == EmptyBody::Allowed) {
    return std::string("{}");
  }
  FLO_TRY_ASSIGN(const JsonType type, checkJson(body));
  if (type == JsonType::Null) {
    return std::string("{}");
  }
  if (type != JsonType::Object) {
    return wrongJsonType(type, call.route.body_type);
  }
  return body;
}

void readBody(const Call& call, EmptyBody empty, std::function<void(std::string)> then) {
  call.exchange->readBody(kBodyLimit,
                          [call, empty, then = std::move(then)](Result<std::string> raw) {
                            if (!raw) {
                              refuse(call, raw.error());
                              return;
                            }
                            auto body = checkBody(call, *std::move(raw), empty);
                            if (!body) {
                              refuse(call, body.error());
                              return;
                            }
                            then(*std::move(body));
                          });
}

Result<void> checkInteger(const std::string& text) {
  std::int64_t value = 0;
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Error{ErrorKind::InvalidArgument,
                 "strconv.Atoi: parsing \"" + text + "\": value out of range"};
  }
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorKind::InvalidArgument,
                 "strconv.Atoi: parsing \"" + text + "\": invalid syntax"};
  }
  return {};
}

void submitJson(const Call& call, std::string body) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  job->body = std::move(body);
  answerDocument(call.dispatch, call.exchange, *std::move(job), call.route.success);
}

}  // namespace

Result<Job> makeJob(const Call& call) {
  Job job;
  job.name = call.route.job;
  job.args = call.holes;
  job.api_version = call.version;
  job.request_id = call.request().id;
  const http::Query& query = call.request().query;
  for (const Parameter& parameter : call.route.parameters) {
    if (!query.has(parameter.name)) {
      continue;
    }
    const std::string name(parameter.name);
    if (parameter.kind == ParameterKind::List) {
      job.env.setList(name, query.all(name));
      continue;
    }
    std::string value = query.get(name);
    if (parameter.kind == ParameterKind::Integer && !value.empty()) {
      FLO_TRY(checkInteger(value));
    }
    job.env.set(name, std::move(value));
  }
  return job;
}

void readJson(const Call& call, std::function<void(std::string body)> then) {
  readBody(call, EmptyBody::Allowed, std::move(then));
}

void readRequiredJson(const Call& call, std::function<void(std::string body)> then) {
  readBody(call, EmptyBody::Refused, std::move(then));
}

void refuse(const Call& call, const Error& error) { call.exchange->respond(errorResponse(error)); }

bool queryBool(const http::Query& query, std::string_view key) {
  constexpr std::array<std::string_view, 5> kFalse = {"", "0", "no", "false", "none"};
  return std::ranges::find(kFalse, std::string_view(lowerTrimmed(query.get(key)))) == kFalse.end();
}

void answerQuery(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  answerDocument(call.dispatch, call.exchange, *std::move(job), call.route.success);
}

void answerJson(const Call& call) {
  readJson(call, [call](std::string body) { submitJson(call, std::move(body)); });
}

void answerRequiredJson(const Call& call) {
  readRequiredJson(call, [call](std::string body) { submitJson(call, std::move(body)); });
}

void answerNotImplemented(const Call& call) {
  std::string endpoint(call.route.method);
  endpoint += ' ';
  endpoint += call.route.pattern;
  for (std::size_t at = 0; (at = endpoint.find(":.*", at)) != std::string::npos;) {
    endpoint.erase(at, 3);
  }
  refuse(call, Error{ErrorKind::NotImplemented, endpoint + " is not implemented"});
}

}  // namespace flotilla::gateway
