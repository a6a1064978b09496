#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/net/stream.h"

namespace flotilla::http {

/// Header fields in order of arrival; names compare without case. Kept as the lines of a head, one
/// after the other: two allocations, however many there are.
class Headers {
 public:
  /// Line breaks and NUL in either become spaces. Neither may be a piece of these headers.
  void add(std::string_view name, std::string_view value);
  /// All of `others`, which are not these.
  void add(const Headers& others);
  /// Replaces all fields of that name.
  void set(std::string_view name, std::string_view value);
  /// First value, "" when absent. Valid until the next change.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  /// Name and value of each, valid until the next change.
  [[nodiscard]] auto fields() const {
    return std::views::transform(
        places_, [this](const Place& place) { return std::pair(nameOf(place), valueOf(place)); });
  }
  /// Appends "Name: value\r\n" for each whose name `leave_out` does not say.
  void appendLines(std::string& out, bool (*leave_out)(std::string_view name)) const;

 private:
  struct Place {  // of a line in text_
    std::size_t at, name_size, value_size;
  };
  void makeRoom();
  [[nodiscard]] std::string_view nameOf(const Place& place) const {
    return std::string_view(text_).substr(place.at, place.name_size);
  }
  [[nodiscard]] std::string_view valueOf(const Place& place) const;
  [[nodiscard]] std::string_view lineOf(const Place& place) const;
  [[nodiscard]] const Place* find(std::string_view name) const;

  std::string text_;
  std::vector<Place> places_;
};

/// Decoded query parameters; a repeated key keeps all its values.
class Query {
 public:
  static Result<Query> parse(std::string_view text);  // Errors: InvalidArgument on bad %-escapes
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::string get(std::string_view key) const;  // first value, "" when absent
  [[nodiscard]] const std::vector<std::string>& all(std::string_view key) const;
  [[nodiscard]] const std::map<std::string, std::vector<std::string>, std::less<>>& values() const {
    return values_;
  }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct Request {
  std::string method;
  std::string path;  // percent-decoded, without query; never contains NUL
  Query query;
  Headers headers;
  std::string id;    // request id: X-Request-Id if sane, else made here
  std::string peer;  // "unix:pid=1,uid=0" or "10.0.0.1:4711", for the access log
  bool http_1_0 = false;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

/// One request on one connection and the ways to answer it. Shared by the connection and whoever
/// answers; every method may be called from any thread and none blocks. Exactly one of respond,
/// open and hijack takes effect; later ones are ignored. An exchange destroyed unanswered answers
/// 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const Request& request() const = 0;

  /// Collects the body up to `limit` bytes; InvalidArgument beyond it or when framing is bad,
  /// Unavailable when the client left. `done` runs on the loop's thread.
  virtual void readBody(std::size_t limit, std::function<void(Result<std::string>)> done) = 0;

  /// The body as a stream of its own (chunked coding removed, 100-continue sent), for load and
  /// build. Reading from it is what lets the client send: back-pressure is end to end.
  virtual std::shared_ptr<net::Stream> bodyStream() = 0;

  /// A complete response. Content-Length is added; HEAD keeps the headers only.
  virtual void respond(Response response) = 0;

  /// Status line and headers at once, body later through the returned stream (chunked on HTTP/1.1,
  /// else until close). close() or shutdownWrite() ends the body properly; abort() cuts the
  /// connection so that the client sees a broken response; so does dropping the stream unended.
  /// Reading from it gives the request's body where that was not taken otherwise; without a body
  /// nothing is ever readable but an error once the client is gone.
  virtual std::shared_ptr<net::Stream> open(Response head) = 0;

  /// Leaves HTTP: writes `head` verbatim, then hands over the connection with whatever bytes were
  /// already read.
  virtual std::shared_ptr<net::Stream> hijack(std::string head) = 0;

  /// Runs `fn` once when the client closes or half-closes before the response is complete
  /// (not after hijack: there end of input belongs to the stream). At once if it already left.
  virtual void onClientGone(std::function<void()> fn) = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace flotilla::http
