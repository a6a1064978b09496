#include "api-gateway/streams/document_call.h"

#include <memory>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/streams/finish_with.h"

namespace flotilla::gateway {
namespace {

http::Response documentResponse(int success, JobResult result) {
  if (!result) {
    return errorResponse(result.error());
  }
  const auto warnings = result->env.getList("warnings");
  http::Response response;
  if (result->body.empty()) {
    response.status = success;
  } else {
    response = jsonResponse(success, std::move(result->body));
  }
  addWarnings(response, warnings);
  return response;
}

/// The response of a job that may be established first. On the reactor's thread.
class LateAnswer {
 public:
  explicit LateAnswer(http::ExchangePtr exchange) : exchange_(std::move(exchange)) {}

  void established() {
    http::Response head;
    head.headers.add("Content-Type", kJsonType);
    body_ = exchange_->open(std::move(head));
  }

  void finished(JobResult result) {
    if (!body_) {
      exchange_->respond(documentResponse(200, std::move(result)));
    } else if (result) {
      finishWith(std::move(body_), std::move(result->body) + "\n");
    } else {
      body_->abort();  // the status line is gone: only a broken body can tell
    }
  }

 private:
  const http::ExchangePtr exchange_;
  net::StreamPtr body_;
};

}  // namespace

void answerDocument(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job, int success) {
  submitFor(dispatch, *exchange, std::move(job),
            {.on_established = nullptr, .on_result = [exchange, success](JobResult result) {
               exchange->respond(documentResponse(success, std::move(result)));
             }});
}

void answerLater(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job) {
  auto answer = std::make_shared<LateAnswer>(exchange);  // shared by both callbacks
  submitFor(dispatch, *exchange, std::move(job),
            {.on_established =
                 [answer, &reactor = dispatch.reactor](const Established&) {
                   reactor.post([answer] { answer->established(); });
                 },
             .on_result =
                 [answer, &reactor = dispatch.reactor](JobResult result) {
                   reactor.post([answer, result = std::move(result)]() mutable {
                     answer->finished(std::move(result));
                   });
                 }});
}

}  // namespace flotilla::gateway
