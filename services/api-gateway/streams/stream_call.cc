#include "api-gateway/streams/stream_call.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/streams/response_stream.h"
#include "common/log/log.h"
#include "common/stream/relay.h"
#include "common/stream/stream_client.h"

namespace flotilla::gateway {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};

/// A job with a stream on its way into a response: established, connected, relayed. Kept alive by
/// the callbacks it waits for. On the reactor's thread.
class StreamCall : public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(Dispatch& dispatch, http::ExchangePtr exchange)
      : dispatch_(dispatch), reactor_(dispatch.reactor), exchange_(std::move(exchange)) {}
  virtual ~StreamCall() = default;
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  static void start(Dispatch& dispatch, const std::shared_ptr<StreamCall>& call, Job job) {
    http::Exchange& exchange = *call->exchange_;
    call->job_name_ = job.name;
    call->job_id_ =
        submitFor(dispatch, exchange, std::move(job),
                  {.on_established =
                       [call](Established message) {
                         call->reactor_.post([call, message = std::move(message)]() mutable {
                           call->established(std::move(message));
                         });
                       },
                   .on_result =
                       [call](JobResult result) {
                         call->reactor_.post([call, result = std::move(result)]() mutable {
                           call->finished(std::move(result));
                         });
                       }});
  }

 protected:
  /// The job's stream is there: take it to the client.
  virtual void connected(const Established& message, net::StreamPtr job_stream) = 0;
  virtual void failed(const Error& error) { exchange_->respond(errorResponse(error)); }
  /// Runs with the result of a job whose stream was connected.
  virtual void resultAfterStream() {}

  [[nodiscard]] http::Exchange& exchange() { return *exchange_; }
  [[nodiscard]] const http::ExchangePtr& exchangePtr() const { return exchange_; }
  [[nodiscard]] Reactor& reactor() { return reactor_; }
  [[nodiscard]] Dispatch& dispatch() { return dispatch_; }
  [[nodiscard]] const std::string& jobName() const { return job_name_; }
  [[nodiscard]] const std::string& jobId() const { return job_id_; }
  [[nodiscard]] const std::optional<JobResult>& result() const { return result_; }

 private:
  void established(Established message) {
    if (!message.stream) {
      return;  // nothing to connect: the result answers
    }
    connecting_ = true;
    const StreamEndpoint endpoint = *message.stream;
    connectStream(
        reactor_, endpoint, {.timeout = kConnectTimeout, .tls = dispatch_.stream_tls},
        [self = shared_from_this(), message = std::move(message)](Result<net::StreamPtr> stream) {
          self->onConnect(message, std::move(stream));
        });
  }

  void onConnect(const Established& message, Result<net::StreamPtr> stream) {
    if (stream) {
      connected(message, *std::move(stream));
    } else if (result_ && !*result_) {
      failed(result_->error());  // the job's own reason says more
    } else {
      failed(std::move(stream).error().context("cannot reach the job's stream"));
    }
  }

  void finished(JobResult result) {
    result_ = std::move(result);
    if (connecting_) {
      resultAfterStream();
    } else if (*result_) {
      succeededWithoutStream();
    } else {
      failed(result_->error());
    }
  }

  void succeededWithoutStream() {
    http::Response response;
    response.status = 200;
    exchange_->respond(std::move(response));
  }

  Dispatch& dispatch_;  // the gateway's
  Reactor& reactor_;
  const http::ExchangePtr exchange_;
  std::string job_name_, job_id_;
  bool connecting_ = false;
  std::optional<JobResult> result_;
};

/// A call whose response is whole only when its job says so: the stream of a worker that failed or
/// died ends like that of one that is done. The body's end waits for the job's result.
class BodyCall : public StreamCall {
 public:
  using StreamCall::StreamCall;

 protected:
  void carry(net::StreamPtr body, net::StreamPtr job_stream) {
    relay(reactor(), std::move(body), std::move(job_stream), RelayEnd::RightSide,
          [self = shared_from_this()](const std::optional<RelayFailure>& failure) {
            static_cast<BodyCall&>(*self).streamEnded(failure);
          });
  }

  /// All that came is written to the body, which is to be closed now, or aborted when it is not the
  /// whole. Once.
  virtual void end(const Result<void>& how) = 0;
  /// Can the client still be told in words why its stream broke?
  [[nodiscard]] virtual bool silent() const = 0;

 private:
  void streamEnded(const std::optional<RelayFailure>& failure) {
    stream_ended_ = failure ? Result<void>(failure->error) : Result<void>();
    client_left_ = failure && failure->side == RelayFailure::Side::Left;
    if (result()) {
      conclude(verdict());
    } else if (failure && (client_left_ || !silent())) {
      conclude({});  // broken, whatever the job says
    } else {
      deadline_ = reactor().runAfter(dispatch().result_patience, [self = shared_from_this()] {
        static_cast<BodyCall&>(*self).giveUp();
      });
    }
  }

  void resultAfterStream() override {
    if (stream_ended_) {
      conclude(verdict());
    }
  }

  void giveUp() {
    deadline_ = 0;
    dispatch().cluster.cancel(jobId());  // a worker that takes it up later need not begin
    conclude(Error{ErrorKind::Unavailable,
                   "the stream of job " + jobName() + " ended, but its result did not come"});
  }

  [[nodiscard]] Result<void> verdict() const {
    return *result() ? Result<void>() : Result<void>(result()->error());
  }

  void conclude(const Result<void>& job) {
    if (std::exchange(concluded_, true)) {
      return;
    }
    reactor().cancelTimer(deadline_);
    const Result<void>& how = job ? *stream_ended_ : job;
    if (!how && !silent() && !client_left_) {
      log::warning("a response was cut", {{"job", jobName()},
                                          {"request", exchange().request().id},
                                          {"reason", how.error().message()}});
    }
    end(how);
  }

  std::optional<Result<void>> stream_ended_;
  bool client_left_ = false;
  Reactor::TimerId deadline_ = 0;  // while the result is awaited
  bool concluded_ = false;
};

class DownloadCall final : public BodyCall {
 public:
  DownloadCall(Dispatch& dispatch, http::ExchangePtr exchange,
               std::function<http::Response(const Established&)> head)
      : BodyCall(dispatch, std::move(exchange)), head_(std::move(head)) {}

 private:
  void connected(const Established& message, net::StreamPtr job_stream) override {
    body_ = exchange().open(head_(message));
    carry(body_, std::move(job_stream));
  }

  void end(const Result<void>& how) override { how ? body_->close() : body_->abort(); }
  [[nodiscard]] bool silent() const override { return false; }

  const std::function<http::Response(const Established&)> head_;
  net::StreamPtr body_;
};

class UploadCall final : public BodyCall {
 public:
  UploadCall(Dispatch& dispatch, http::ExchangePtr exchange, http::Response head)
      : BodyCall(dispatch, std::move(exchange)), head_(std::move(head)) {}

 private:
  void connected(const Established& /*message*/, net::StreamPtr job_stream) override {
    response_ = std::make_shared<ResponseStream>(exchangePtr(), head_);
    carry(response_, std::move(job_stream));
  }

  void end(const Result<void>& how) override {
    how ? response_->close() : response_->abort();
    if (!silent()) {
      return;
    }
    if (how) {
      exchange().respond(head_);
    } else {
      failed(how.error());
    }
  }

  [[nodiscard]] bool silent() const override { return response_->silent(); }

  const http::Response head_;
  std::shared_ptr<ResponseStream> response_;
};

class HijackCall final : public StreamCall {
 public:
  HijackCall(Dispatch& dispatch, http::ExchangePtr exchange, HijackStyle style, std::string exec_id)
      : StreamCall(dispatch, std::move(exchange)),
        cut_streams_(dispatch.cut_streams),
        style_(std::move(style)),
        exec_id_(std::move(exec_id)) {}

 private:
  void connected(const Established& message, net::StreamPtr job_stream) override {
    auto done = [this, self = shared_from_this()](const std::optional<RelayFailure>& failure) {
      if (failure && failure->side == RelayFailure::Side::Right && !exec_id_.empty()) {
        cut_streams_.add(exec_id_, failure->error);
      }
    };
    dispatch().hijacked.add(relay(reactor(), exchange().hijack(style_.head(message)),
                                  std::move(job_stream), RelayEnd::BothSides, std::move(done)));
  }

  void failed(const Error& error) override { style_.failed(exchange(), error); }

  CutStreams& cut_streams_;  // the gateway's, as dispatch
  const HijackStyle style_;
  const std::string exec_id_;  // "" when this is no exec
};

}  // namespace

void answerStream(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  std::function<http::Response(const Established&)> head) {
  StreamCall::start(dispatch, std::make_shared<DownloadCall>(dispatch, exchange, std::move(head)),
                    std::move(job));
}

void answerUpload(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  http::Response head) {
  StreamCall::start(dispatch, std::make_shared<UploadCall>(dispatch, exchange, std::move(head)),
                    std::move(job));
}

void answerHijack(Dispatch& dispatch, const http::ExchangePtr& exchange, Job job,
                  HijackStyle style) {
  std::string exec_id = job.name == "exec_start" && !job.args.empty() ? job.args.front() : "";
  StreamCall::start(
      dispatch,
      std::make_shared<HijackCall>(dispatch, exchange, std::move(style), std::move(exec_id)),
      std::move(job));
}

}  // namespace flotilla::gateway
