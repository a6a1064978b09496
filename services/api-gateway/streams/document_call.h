#pragma once

#include "api-gateway/streams/dispatch.h"

namespace flotilla::gateway {

/// One job, one complete response: `success` with the job's output as a JSON document, or without a
/// body when there is none; a failure as errorResponse() says.
void answerDocument(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job, int success);

/// A job that says it is established long before its result (wait): the headers go out then, the
/// result follows as the body (decisions.md 1). A failure before is an ordinary error response.
void answerLater(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job);

}  // namespace flotilla::gateway
