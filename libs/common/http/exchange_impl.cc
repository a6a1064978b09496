#include "common/http/exchange_impl.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/http/connection.h"
#include "common/http/exchange_streams.h"

namespace flotilla::http {
namespace {

class ExchangeImpl final : public Exchange {
 public:
  ExchangeImpl(std::shared_ptr<Connection> connection, std::uint64_t turn,
               std::shared_ptr<const Request> request)
      : connection_(std::move(connection)), turn_(turn), request_(std::move(request)) {}

  ~ExchangeImpl() override {
    if (claim()) {
      inLoop([turn = turn_](Connection& c) {
        c.respond(turn, errorResponse(500, "internal error: no answer"));
      });
    }
  }
  ExchangeImpl(const ExchangeImpl&) = delete;
  ExchangeImpl& operator=(const ExchangeImpl&) = delete;

  [[nodiscard]] const Request& request() const override { return *request_; }

  void readBody(std::size_t limit, std::function<void(Result<std::string>)> done) override {
    inLoop([turn = turn_, limit, done = std::move(done)](Connection& c) mutable {
      c.collectBody(turn, limit, std::move(done));
    });
  }

  std::shared_ptr<net::Stream> bodyStream() override {
    inLoop([turn = turn_](Connection& c) { c.takeBody(turn); });
    return makeBodyStream(connection_, turn_);
  }

  void respond(Response response) override {
    if (claim()) {
      inLoop([turn = turn_, response = std::move(response)](Connection& c) {
        c.respond(turn, response);
      });
    }
  }

  std::shared_ptr<net::Stream> open(Response head) override {
    const bool first = claim();
    auto stream = makeResponseStream(connection_, turn_, first);
    if (first) {
      inLoop([turn = turn_, head = std::move(head), stream](Connection& c) {
        stream->takeBody();
        c.openResponse(turn, head);
      });
    }
    return stream;
  }

  std::shared_ptr<net::Stream> hijack(std::string head) override {
    auto stream = makeHijackedStream(connection_->reactor());
    if (claim()) {
      inLoop([turn = turn_, head = std::move(head), stream](Connection& c) {
        if (auto spoils = c.hijack(turn, head)) {
          stream->attach(std::move(*spoils));
        }
      });
    }
    return stream;
  }

  void onClientGone(std::function<void()> fn) override {
    inLoop([turn = turn_, fn = std::move(fn)](Connection& c) mutable {
      c.onClientGone(turn, std::move(fn));
    });
  }

 private:
  /// True for the one answer that counts.
  bool claim() { return !answered_.exchange(true); }

  template <class Fn>
  void inLoop(Fn fn) {
    if (connection_->reactor().inLoop()) {
      return fn(*connection_);
    }
    connection_->reactor().post(
        [connection = connection_, fn = std::move(fn)]() mutable { fn(*connection); });
  }

  std::shared_ptr<Connection> connection_;
  const std::uint64_t turn_;
  const std::shared_ptr<const Request> request_;
  std::atomic<bool> answered_ = false;
};

}  // namespace

ExchangePtr makeExchange(std::shared_ptr<Connection> connection, std::uint64_t turn,
                         std::shared_ptr<const Request> request) {
  return std::make_shared<ExchangeImpl>(std::move(connection), turn, std::move(request));
}

std::string requestId(ServerContext& server, std::string_view given) {
  constexpr std::size_t kLongest = 64;
  const bool sane = !given.empty() && given.size() <= kLongest &&
                    std::all_of(given.begin(), given.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
                    });
  return sane ? std::string(given) : server.id_prefix + std::to_string(++server.next_id);
}

}  // namespace flotilla::http
