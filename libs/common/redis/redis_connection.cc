#include "common/redis/redis_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <random>
#include <utility>

#include "common/event/thread_pool.h"
#include "common/net/socket.h"
#include "common/net/socket_stream.h"
#include "common/net/tls_stream.h"
#include "common/os/atomic_file.h"

namespace flotilla {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kKeptOutput = 64 * 1024;
constexpr milliseconds kPushPing{5'000};

/// Half of `backoff` and a random half: servers that come back are not stormed.
milliseconds jittered(milliseconds backoff) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const auto half = backoff.count() / 2;
  return milliseconds(half +
                      static_cast<std::int64_t>(random() % (static_cast<std::uint64_t>(half) + 1)));
}

class Connection final : public RedisConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Reactor& reactor, Options options, Events events)
      : reactor_(reactor),
        options_(std::move(options)),
        events_(std::move(events)),
        where_("redis " + options_.target.url.shown()),
        backoff_(options_.backoff_first) {}

  ~Connection() override { closeStream(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() override {
    if (state_ == State::Idle) {
      connect();
    }
  }

  void close() override {
    state_ = State::Closed;
    events_ = {};
    waiting_.clear();
    closeStream();
  }

  [[nodiscard]] bool ready() const override { return state_ == State::Ready; }
  [[nodiscard]] const Error& lastError() const override { return last_error_; }

  void send(const Arguments& arguments, Done done, milliseconds timeout) override;

 private:
  enum class State { Idle, Connecting, Ready, Backoff, Closed };
  struct Waiting {
    Done done;
    Reactor::Clock::time_point deadline;
  };

  void connect();
  void resolveThenConnect();
  void open(Result<UniqueFd> socket);
  void logIn();
  void queue(const Arguments& arguments, Done done, milliseconds timeout);
  void loggedIn(const Result<RedisReply>& last);
  void becomeReady();
  void keepPushAlive();
  void readable();
  void dispatch(RedisReply reply);
  void scheduleFlush();
  void flush();
  void watchDeadlines();
  void lose(Error error);
  void closeStream();
  void cancel(Reactor::TimerId& timer) {
    reactor_.cancelTimer(timer);
    timer = 0;
  }

  Reactor& reactor_;
  const Options options_;
  Events events_;
  const std::string where_;
  State state_ = State::Idle;
  Error last_error_{ErrorKind::Unavailable, "not connected yet"};
  milliseconds backoff_;
  net::StreamPtr stream_;
  RedisReplyParser parser_;
  std::deque<Waiting> waiting_;
  std::string out_;
  std::size_t written_ = 0;  // of out_
  bool flush_scheduled_ = false;
  bool blocked_ = false;  // the socket is full: on_writable goes on
  bool heard_ = false;    // something came since the last ping of a push connection
  std::uint64_t attempt_ = 0;
  Reactor::TimerId retry_timer_ = 0;
  Reactor::TimerId deadline_timer_ = 0;
  Reactor::TimerId push_timer_ = 0;
  std::unique_ptr<ThreadPool> resolver_;  // only for host names
};

void Connection::connect() {
  retry_timer_ = 0;
  state_ = State::Connecting;
  ++attempt_;
  const net::Address& address = options_.target.url.address;
  auto socket = net::startConnect(address);
  if (!socket && socket.error().kind() == ErrorKind::InvalidArgument) {
    resolveThenConnect();  // not a literal
  } else {
    open(std::move(socket));
  }
}

/// Resolving blocks, so it has a thread of its own.
void Connection::resolveThenConnect() {
  if (!resolver_) {
    resolver_ = std::make_unique<ThreadPool>(ThreadPool::Options{"redis-names", 1, 1});
  }
  const bool posted = resolver_->post([weak = weak_from_this(), &reactor = reactor_,
                                       attempt = attempt_, address = options_.target.url.address] {
    auto resolved = net::resolveBlocking(address);
    reactor.post([weak, attempt, resolved = std::move(resolved)] {
      const auto self = weak.lock();
      if (!self || self->state_ != State::Connecting || self->attempt_ != attempt) {
        return;
      }
      if (resolved) {
        self->open(net::startConnect(*resolved));
      } else {
        self->lose(resolved.error());
      }
    });
  });
  if (!posted) {
    lose(Error{ErrorKind::Unavailable, "the host name is still being looked up"});
  }
}

void Connection::open(Result<UniqueFd> socket) {
  if (!socket) {
    return lose(std::move(socket).error());
  }
  if (options_.target.tls) {
    stream_ = net::makeTlsStream(reactor_, *std::move(socket),
                                 {.context = options_.target.tls,
                                  .server_name = options_.target.url.address.host,
                                  .handshake_timeout = options_.connect_timeout});
  } else {
    stream_ = net::makeSocketStream(reactor_, *std::move(socket));
  }
  // The stream is ours and its callbacks end with it.
  stream_->start([this] { readable(); },
                 [this] {
                   blocked_ = false;
                   flush();
                 });
  logIn();
}

void Connection::logIn() {
  const RedisUrl& url = options_.target.url;
  Arguments hello{"HELLO", "2"};
  if (!url.password.empty()) {
    hello.insert(hello.end(),
                 {"AUTH", url.user.empty() ? "default" : std::string_view(url.user), url.password});
  }
  if (!options_.name.empty()) {
    hello.insert(hello.end(), {"SETNAME", options_.name});
  }
  const auto refused = [this](const Result<RedisReply>& reply) {
    if (!reply) {
      lose(reply.error());
    }
  };
  queue(hello, refused, options_.connect_timeout);
  if (url.database != 0) {
    queue({"SELECT", std::to_string(url.database)}, refused, options_.connect_timeout);
  }
  // A server that still reads its data says so here, and not to a client's command.
  queue(
      {"PING"}, [this](const Result<RedisReply>& reply) { loggedIn(reply); },
      options_.connect_timeout);
}

void Connection::loggedIn(const Result<RedisReply>& last) {
  if (!last) {
    return lose(last.error());
  }
  becomeReady();
}

void Connection::becomeReady() {
  state_ = State::Ready;
  backoff_ = options_.backoff_first;
  if (events_.on_push) {
    heard_ = true;
    keepPushAlive();
  }
  if (const auto on_ready = events_.on_ready) {
    on_ready();
  }
}

/// Nothing else would tell that a server which only pushes is gone.
void Connection::keepPushAlive() {
  if (!std::exchange(heard_, false)) {
    return lose(Error{ErrorKind::Unavailable, "no answer to a ping"});
  }
  queue({"PING"}, nullptr, kPushPing);
  waiting_.clear();  // replies are not matched with commands in this mode
  push_timer_ = reactor_.runAfter(kPushPing, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->ready()) {
      self->keepPushAlive();
    }
  });
}

void Connection::send(const Arguments& arguments, Done done, milliseconds timeout) {
  if (!ready()) {
    if (done) {
      reactor_.post([done = std::move(done), error = last_error_] { done(error); });
    }
    return;
  }
  queue(arguments, std::move(done),
        timeout == milliseconds::zero() ? options_.reply_timeout : timeout);
  if (events_.on_push) {
    waiting_.clear();
  }
}

void Connection::queue(const Arguments& arguments, Done done, milliseconds timeout) {
  appendRedisCommand(out_, arguments);
  waiting_.push_back({std::move(done), Reactor::Clock::now() + timeout});
  scheduleFlush();
  if (deadline_timer_ == 0) {
    watchDeadlines();
  }
}

/// Looks at the oldest command only, and at it again when its time has come: timers are not free.
void Connection::watchDeadlines() {
  deadline_timer_ = 0;
  if (waiting_.empty()) {
    return;
  }
  const auto now = Reactor::Clock::now();
  if (waiting_.front().deadline <= now) {
    return lose(Error{ErrorKind::Unavailable, "no answer in time"});
  }
  deadline_timer_ = reactor_.runAfter(waiting_.front().deadline - now, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->watchDeadlines();
    }
  });
}

void Connection::scheduleFlush() {
  if (flush_scheduled_ || blocked_) {
    return;
  }
  flush_scheduled_ = true;
  reactor_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->flush_scheduled_ = false;
      self->flush();
    }
  });
}

void Connection::flush() {
  if (!stream_ || written_ == out_.size()) {
    return;
  }
  const auto taken = stream_->write(std::string_view(out_).substr(written_));
  if (!taken) {
    return lose(taken.error());
  }
  written_ += *taken;
  blocked_ = written_ < out_.size();
  if (!blocked_) {
    written_ = 0;
    out_.clear();
    if (out_.capacity() > kKeptOutput) {
      out_.shrink_to_fit();
    }
  }
}

void Connection::readable() {
  const auto self = shared_from_this();  // a callback may drop the last reference
  const net::StreamPtr stream = stream_;
  std::array<char, kReadSize> buffer;  // NOLINT: filled by read
  for (;;) {
    const auto count = stream->read(buffer.data(), buffer.size());
    if (!count && count.error().sysErrno() == EAGAIN) {
      return;
    }
    if (!count || *count == 0) {
      return lose(count ? Error{ErrorKind::Unavailable, "the server closed the connection"}
                        : count.error());
    }
    heard_ = true;
    if (auto fed = parser_.feed({buffer.data(), *count}); !fed) {
      return lose(std::move(fed).error());
    }
    for (;;) {
      auto reply = parser_.next();
      if (!reply) {
        return lose(std::move(reply).error());
      }
      if (!*reply) {
        break;
      }
      dispatch(**std::move(reply));
      if (stream_ != stream) {
        return;  // the callback ended this connection
      }
    }
    if (*count < buffer.size()) {
      return;  // level-triggered: what else there is comes again
    }
  }
}

void Connection::dispatch(RedisReply reply) {
  if (ready() && events_.on_push) {
    const auto on_push = events_.on_push;
    return on_push(std::move(reply));
  }
  if (waiting_.empty()) {
    return lose(Error{ErrorKind::Internal, "redis protocol: a reply to no command"});
  }
  const Done done = std::move(waiting_.front().done);
  waiting_.pop_front();
  if (!done) {
    return;
  }
  if (reply.type == RedisReply::Type::Error) {
    done(redisError(reply.text));
  } else {
    done(std::move(reply));
  }
}

void Connection::lose(Error error) {
  if (state_ == State::Closed || state_ == State::Backoff) {
    return;
  }
  const auto self = shared_from_this();
  const ErrorKind kind = error.kind() == ErrorKind::PermissionDenied ? ErrorKind::PermissionDenied
                                                                     : ErrorKind::Unavailable;
  last_error_ = std::move(error).context(where_).as(kind);
  const Error why = last_error_;
  state_ = State::Backoff;
  closeStream();
  retry_timer_ = reactor_.runAfter(jittered(backoff_), [weak = weak_from_this()] {
    if (const auto alive = weak.lock(); alive && alive->state_ == State::Backoff) {
      alive->connect();
    }
  });
  backoff_ = std::min(backoff_ * 2, options_.backoff_last);
  for (auto& command : std::exchange(waiting_, {})) {
    if (command.done) {
      command.done(why);
    }
  }
  if (const auto on_lost = events_.on_lost) {
    on_lost(why);
  }
}

void Connection::closeStream() {
  cancel(retry_timer_);
  cancel(deadline_timer_);
  cancel(push_timer_);
  if (const auto stream = std::exchange(stream_, nullptr)) {
    stream->close();
  }
  parser_ = RedisReplyParser();
  out_.clear();
  written_ = 0;
  blocked_ = false;
}

}  // namespace

Result<RedisTarget> RedisTarget::create(std::string_view url) {
  RedisTarget target;
  FLO_TRY_ASSIGN(target.url, RedisUrl::parse(url));
  if (!target.url.password_file.empty()) {
    auto text = readFile(target.url.password_file, 4096);
    if (!text) {
      return std::move(text).error().as(ErrorKind::InvalidArgument);
    }
    target.url.password = text->substr(0, text->find('\n'));
  }
  if (target.url.tls) {
    FLO_TRY_ASSIGN(target.tls,
                   net::TlsContext::create({.role = net::TlsContext::Role::Client,
                                            .cert_file = target.url.cert_file,
                                            .key_file = target.url.key_file,
                                            .ca_file = target.url.ca_file,
                                            .peer_check = net::TlsContext::PeerCheck::Required}));
  }
  return target;
}

std::shared_ptr<RedisConnection> RedisConnection::create(Reactor& reactor, Options options,
                                                         Events events) {
  return std::make_shared<Connection>(reactor, std::move(options), std::move(events));
}

}  // namespace flotilla
