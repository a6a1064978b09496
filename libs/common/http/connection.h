#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/http/exchange.h"
#include "common/http/request_parser.h"
#include "common/http/response_head.h"
#include "common/http/server.h"
#include "common/net/stream.h"

namespace flotilla::http {

class Connection;

/// Of an unread body: more is cheaper to cut off than to read.
inline constexpr std::uint64_t kMaxDrained = 1U << 20U;

/// What the connections of one server share. Loop thread only, but for `reactor`.
struct ServerContext {
  Reactor& reactor;
  Server::Handler handler;
  ServerOptions options;
  std::unordered_set<std::shared_ptr<Connection>> connections = {};
  std::vector<char> scratch = std::vector<char>(64 * 1024);  // every read goes through it
  std::string id_prefix = {};                                // of request ids made here
  std::uint64_t next_id = 0;
  std::size_t active = 0;
  bool stopping = false;
  std::function<void()> drained = {};
};

/// One request on its way through a connection, from its first byte to the end of its response.
struct Turn {
  RequestParser parser;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  AccessRecord record;
  bool is_head = false;
  bool http_1_0 = false;
  bool keep_alive = true;

  // Body
  struct Collection {  // readBody()
    std::size_t limit = 0;
    std::string bytes = {};
    std::function<void(Result<std::string>)> done;
  };
  std::optional<Collection> collection;
  std::function<void()> on_body;  // the body's reader, level-triggered
  bool body_reading = false;
  bool body_taken = false;    // by readBody() or a stream
  bool body_starved = false;  // what is buffered is not enough to go on
  bool continue_due = false;
  std::optional<Error> body_error;
  std::uint64_t drained = 0;

  // Response
  enum class Phase { Pending, Open, Done };
  Phase phase = Phase::Pending;
  Framing framing = Framing::Counted;
  std::uint64_t counted_left = 0;
  std::function<void()> on_room;        // once, after a short write
  std::function<void()> on_stream_cut;  // the response stream's reader, when the client is gone
  bool room_wanted = false;

  bool gone = false;
  std::function<void()> on_gone;
};

/// A client's connection and the one state machine on it:
///
///   Head --(head complete)--> Active --(response and body complete)--> Head ...
///   Head, Active --(refused, asked to close, body left unread)--> Lingering --> Left
///   Active --(hijack)--> Left
///
/// Turns are numbered; an operation of an earlier turn's exchange finds its number outdated and
/// does nothing. Loop thread only, except that the last reference may go anywhere once Left.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerContext> server, net::StreamPtr stream, std::string peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// No request after the present one.
  void closeWhenIdle();
  void closeNow();

  [[nodiscard]] Reactor& reactor() const { return server_->reactor; }

  // The exchange's side. `turn` is the number the exchange was made with.
  [[nodiscard]] bool isCurrent(std::uint64_t turn) const {
    return state_ == State::Active && turn == turn_number_;
  }

  void collectBody(std::uint64_t turn, std::size_t limit,
                   std::function<void(Result<std::string>)> done);
  /// Claims the body for a stream; false when there is none or it is taken.
  bool takeBody(std::uint64_t turn);
  void setBodyReader(std::uint64_t turn, std::function<void()> on_readable);
  void enableBodyReader(std::uint64_t turn, bool enabled);
  Result<std::size_t> readBody(std::uint64_t turn, char* buffer, std::size_t size);

  void respond(std::uint64_t turn, const Response& response);
  void openResponse(std::uint64_t turn, const Response& head);
  void setResponseCallbacks(std::uint64_t turn, std::function<void()> on_cut,
                            std::function<void()> on_room);
  Result<std::size_t> writeResponse(std::uint64_t turn, std::string_view bytes);
  void endResponse(std::uint64_t turn);
  void abortResponse(std::uint64_t turn);
  /// The client left before the response of `turn` was complete.
  [[nodiscard]] bool clientGone(std::uint64_t turn) const {
    return isCurrent(turn) ? turn_->gone : turn > completed_turns_;
  }
  void onClientGone(std::uint64_t turn, std::function<void()> fn);

  /// What a hijacker takes along.
  struct Spoils {
    net::StreamPtr stream;
    std::string early;   // read already
    std::string unsent;  // of `head` and earlier responses
  };
  std::optional<Spoils> hijack(std::uint64_t turn, const std::string& head);

 private:
  enum class State { Head, Active, Lingering, Left };

  // connection.cc: bytes and states
  void onReadable();
  void onWritable();
  void inputEnded();
  void clientIsGone();
  /// Goes as far as the buffered input allows.
  void drive();
  bool parseHead();
  void refuse(const RequestParser::Refusal& refusal);
  void beginTurn();
  /// After a complete response: on to the next request if the body allows. True when there.
  bool finishTurn();
  /// Accounts for the turn and detaches it.
  std::shared_ptr<Turn> takeTurn();
  /// Sends what is unsent, then reads on for a moment: closing with unread input would reset the
  /// connection and could destroy the answer on its way.
  void linger();
  void shutOutput();
  bool flush();
  void updateReading();
  void armTimer(std::chrono::milliseconds delay);
  void disarmTimer();
  void onTimer();
  void leave();
  [[nodiscard]] std::string_view input() const { return std::string_view(in_).substr(in_offset_); }
  [[nodiscard]] std::size_t unsent() const { return out_.size() - out_offset_; }
  void consume(std::size_t count);

  // connection_body.cc: the request's body
  enum class Pull { Bytes, Starved, End, Broken };
  /// Body bytes out of the buffered input. Broken: body_error says why.
  Pull pullBody(char* buffer, std::size_t size, std::size_t& produced);
  void continueCollection();
  void endCollection(Result<std::string> result);
  /// Reads and forgets what is left of it.
  Pull drainBody();
  [[nodiscard]] bool bodyReadable() const;
  void notifyBodyReader();
  void sendContinue();

  // connection_response.cc: the response
  [[nodiscard]] bool mustClose() const;
  void writeHead(const Response& response, std::optional<std::uint64_t> length);

  std::shared_ptr<ServerContext> server_;  // shared: connections may end after the server
  net::StreamPtr stream_;
  std::string peer_;
  State state_ = State::Head;
  std::string in_;   // unconsumed input from in_offset_ on; empty while idle
  std::string out_;  // unsent output from out_offset_ on; empty while idle
  std::size_t in_offset_ = 0;
  std::size_t out_offset_ = 0;
  std::shared_ptr<Turn> turn_;  // shared with notifications on their way
  std::uint64_t turn_number_ = 0;
  std::uint64_t completed_turns_ = 0;  // the newest turn whose response is complete
  Reactor::TimerId timer_ = 0;
  bool input_ended_ = false;
  bool driving_ = false;
  bool close_when_idle_ = false;
  bool hangup_watched_ = false;
  bool body_notice_posted_ = false;
};

}  // namespace flotilla::http
