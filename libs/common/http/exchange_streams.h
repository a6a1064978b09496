#pragma once

#include <cstdint>
#include <memory>

#include "common/http/connection.h"
#include "common/net/stream.h"

namespace flotilla::http {

/// A stream made by open(). It may be made and dropped on any thread; everything else, as for every
/// stream, on the loop's.
class ResponseStream : public net::Stream {
 public:
  /// Claims the request's body for reading, if nobody has.
  virtual void takeBody() = 0;
};

/// A stream made by hijack(), of use once attached.
class HijackedStream : public net::Stream {
 public:
  virtual void attach(Connection::Spoils spoils) = 0;
};

std::shared_ptr<net::Stream> makeBodyStream(std::shared_ptr<Connection> connection,
                                            std::uint64_t turn);
/// `live` false: another answer was first; the stream is broken from the beginning.
std::shared_ptr<ResponseStream> makeResponseStream(std::shared_ptr<Connection> connection,
                                                   std::uint64_t turn, bool live);
std::shared_ptr<HijackedStream> makeHijackedStream(Reactor& reactor);

}  // namespace flotilla::http
