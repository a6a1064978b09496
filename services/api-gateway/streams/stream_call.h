#pragma once

#include <functional>

#include "api-gateway/streams/dispatch.h"

namespace flotilla::gateway {

/// Answers with the bytes a job streams (logs, events, save): the head goes out as soon as the job
/// is established and its stream connected, a failure before that is an ordinary error response.
/// The body ends with the stream when the job's result is a success; otherwise, and when no result
/// comes within Dispatch::result_patience, it is cut: a job that failed, or whose worker died, is
/// no short success. `head` shapes the response by what the job said when it was established.
void answerStream(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  std::function<http::Response(const Established&)> head);

/// Feeds the request's body to the job's stream and answers with what comes back (load, import).
/// The head waits for the first byte, so that a job that failed without a word is an error
/// response; one that failed later cuts the body, as above.
void answerUpload(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  http::Response head);

/// How a hijacked connection leaves HTTP (attach, exec start).
struct HijackStyle {
  /// Status line and headers for a stream; `Established` tells about the tty.
  std::function<std::string(const Established&)> head;
  /// Answers a job that failed before it was established, the way this endpoint does.
  std::function<void(http::Exchange&, const Error&)> failed;
};

/// Hands the connection over to the job's stream, both ways, once the job is established. A job
/// that succeeds without a stream (detached exec) is answered 200.
void answerHijack(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  HijackStyle style);

}  // namespace flotilla::gateway
