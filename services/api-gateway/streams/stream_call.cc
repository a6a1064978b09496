#include "api-gateway/streams/stream_call.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/streams/response_stream.h"
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
      : reactor_(dispatch.reactor), tls_(dispatch.stream_tls), exchange_(std::move(exchange)) {}
  virtual ~StreamCall() = default;
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  static void start(Dispatch& dispatch, const std::shared_ptr<StreamCall>& call, Job job) {
    http::Exchange& exchange = *call->exchange_;
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
  [[nodiscard]] const std::optional<JobResult>& result() const { return result_; }

 private:
  void established(Established message) {
    if (!message.stream) {
      return;  // nothing to connect: the result answers
    }
    connecting_ = true;
    const StreamEndpoint endpoint = *message.stream;
    connectStream(
        reactor_, endpoint, {.timeout = kConnectTimeout, .tls = tls_},
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

  Reactor& reactor_;
  const net::TlsContextPtr tls_;
  const http::ExchangePtr exchange_;
  bool connecting_ = false;
  std::optional<JobResult> result_;
};

class DownloadCall final : public StreamCall {
 public:
  DownloadCall(Dispatch& dispatch, http::ExchangePtr exchange,
               std::function<http::Response(const Established&)> head)
      : StreamCall(dispatch, std::move(exchange)), head_(std::move(head)) {}

 private:
  void connected(const Established& message, net::StreamPtr job_stream) override {
    relay(reactor(), exchange().open(head_(message)), std::move(job_stream), RelayEnd::RightSide,
          [](const Result<void>&) {});
  }

  const std::function<http::Response(const Established&)> head_;
};

class UploadCall final : public StreamCall {
 public:
  UploadCall(Dispatch& dispatch, http::ExchangePtr exchange, http::Response head)
      : StreamCall(dispatch, std::move(exchange)), head_(std::move(head)) {}

 private:
  void connected(const Established& /*message*/, net::StreamPtr job_stream) override {
    auto response =
        std::make_shared<ResponseStream>(exchangePtr(), head_, [weak = weak_from_this()] {
          if (const auto self = weak.lock()) {
            static_cast<UploadCall&>(*self).silent();
          }
        });
    relay(reactor(), std::move(response), std::move(job_stream), RelayEnd::RightSide,
          [self = shared_from_this()](const Result<void>&) {});
  }

  void silent() {
    silent_ = true;
    answerSilent();
  }

  void resultAfterStream() override { answerSilent(); }

  /// The stream ended without a byte and the result is known: that is the whole answer.
  void answerSilent() {
    if (!silent_ || !result()) {
      return;
    }
    if (*result()) {
      exchange().respond(head_);
    } else {
      failed(result()->error());
    }
  }

  const http::Response head_;
  bool silent_ = false;
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
    relay(reactor(), exchange().hijack(style_.head(message)), std::move(job_stream),
          RelayEnd::BothSides, [this, self = shared_from_this()](const Result<void>& ended) {
            if (!ended && !exec_id_.empty() && ended.error().message().starts_with("TLS")) {
              cut_streams_.add(exec_id_, ended.error());
            }
          });
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
