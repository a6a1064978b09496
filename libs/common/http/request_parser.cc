#include "common/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <limits>
#include <utility>

#include "common/http/percent.h"

namespace flotilla::http {
namespace {

namespace beast = boost::beast;

constexpr std::size_t kMaxChunkOverhead = 16 * 1024;
constexpr std::uint64_t kOverheadPerChunk = 16;  // what an honest chunk header may cost

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

beast::error_code code(beast::http::error error) { return beast::http::make_error_code(error); }

}  // namespace

/// Beast's parser with its events turned into a Request. Not its request_parser<buffer_body>, which
/// is this plus a message container: every field would be stored there and copied out again.
class RequestParser::Impl final : public beast::http::basic_parser<true> {
 public:
  Impl() {
    header_limit(kHeadLimit);
    // A maximum, not none: Beast 1.74 compares with "none" as if it were the smallest limit.
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  Request request;
  Refusal refusal;
  bool expects_continue = false;

  Outcome refuse(int status, std::string message) {
    refusal = {status, std::move(message)};
    return Outcome::Refused;
  }
  Outcome refuse(const beast::error_code& ec) {
    if (!refusal.message.empty()) {
      return Outcome::Refused;  // one of ours said why
    }
    if (ec == beast::http::error::header_limit) {
      return refuse(431, "request header block is larger than 65536 bytes");
    }
    return refuse(400, "malformed HTTP request: " + ec.message());
  }

  Outcome checkHead();
  void setOutput(char* output, std::size_t size) {
    output_ = output;
    room_ = size;
  }
  [[nodiscard]] std::size_t room() const { return room_; }

 private:
  bool splitTarget(std::string_view target);

  void on_request_impl(beast::http::verb /*method*/, beast::string_view method,
                       beast::string_view target, int version, beast::error_code& ec) override {
    request.method.assign(method.data(), method.size());
    request.http_1_0 = version == 10;
    if (!splitTarget({target.data(), target.size()})) {
      ec = code(beast::http::error::bad_target);
    }
  }

  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value,
                     beast::error_code& ec) override {
    if (++fields_ > kFieldLimit) {
      refuse(431, "more than 256 request header fields");
      ec = code(beast::http::error::header_limit);
      return;
    }
    if (in_body_) {
      return;  // a trailer: nobody here asks for them
    }
    if (field == beast::http::field::transfer_encoding &&
        !equalsIgnoringCase({value.data(), value.size()}, "chunked")) {
      refuse(501, "unsupported transfer encoding");
      ec = code(beast::http::error::bad_transfer_encoding);
      return;
    }
    request.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }

  void on_header_impl(beast::error_code& /*ec*/) override { in_body_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const& /*length*/,
                         beast::error_code& /*ec*/) override {}

  std::size_t on_body_impl(beast::string_view body, beast::error_code& ec) override {
    const std::size_t n = std::min(body.size(), room_);
    std::memcpy(output_, body.data(), n);
    output_ += n;
    room_ -= n;
    if (n < body.size()) {
      ec = code(beast::http::error::need_buffer);
    }
    return n;
  }

  void on_chunk_header_impl(std::uint64_t size, beast::string_view extensions,
                            beast::error_code& ec) override {
    // Tiny chunks with long extensions would make us read far more than we deliver.
    const std::uint64_t earned =
        kOverheadPerChunk + std::min<std::uint64_t>(size, kMaxChunkOverhead) * 2;
    chunk_overhead_ += extensions.size();
    chunk_overhead_ -= std::min(chunk_overhead_, earned);
    if (chunk_overhead_ > kMaxChunkOverhead) {
      ec = code(beast::http::error::bad_chunk_extension);
    }
  }

  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, beast::string_view body,
                                 beast::error_code& ec) override {
    return on_body_impl(body, ec);
  }

  void on_finish_impl(beast::error_code& /*ec*/) override {}

  // Of responses: never called.
  void on_response_impl(int /*code*/, beast::string_view /*reason*/, int /*version*/,
                        beast::error_code& /*ec*/) override {}

  char* output_ = nullptr;
  std::size_t room_ = 0;
  std::size_t fields_ = 0;
  std::uint64_t chunk_overhead_ = 0;
  bool in_body_ = false;
};

bool RequestParser::Impl::splitTarget(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.substr(0, kScheme.size()) == kScheme) {  // absolute form, as to a proxy
    target.remove_prefix(kScheme.size());
    const std::size_t slash = target.find_first_of("/?");
    target.remove_prefix(std::min(slash, target.size()));
    if (target.empty() || target.front() != '/') {
      refuse(400, "malformed request target");
      return false;
    }
  }
  if (target != "*" && (target.empty() || target.front() != '/')) {
    refuse(400, "malformed request target");
    return false;
  }
  const std::size_t question = target.find('?');
  Result<std::string> path = percentDecode(target.substr(0, question), PlusSign::Literal);
  Result<Query> query =
      question == std::string_view::npos ? Query{} : Query::parse(target.substr(question + 1));
  if (!path || !query) {
    refuse(400, !path ? path.error().message() : query.error().message());
    return false;
  }
  if (path->find('\0') != std::string::npos) {
    refuse(400, "NUL in request path");
    return false;
  }
  request.path = std::move(*path);
  request.query = std::move(*query);
  return true;
}

RequestParser::Outcome RequestParser::Impl::checkHead() {
  if (!request.http_1_0 && !request.headers.has("Host")) {
    return refuse(400, "missing required Host header");
  }
  if (request.http_1_0 && chunked()) {
    return refuse(400, "chunked coding in HTTP/1.0");
  }
  const std::string_view expect = request.headers.get("Expect");
  if (!expect.empty() && !equalsIgnoringCase(expect, "100-continue")) {
    return refuse(417, "unknown expectation");
  }
  expects_continue = !expect.empty() && !request.http_1_0 && !is_done();
  return Outcome::Done;
}

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

RequestParser::Outcome RequestParser::parseHead(std::string_view input, std::size_t& consumed) {
  consumed = 0;
  while (!impl_->is_header_done()) {
    beast::error_code ec;
    const std::string_view rest = input.substr(consumed);
    consumed += impl_->put({rest.data(), rest.size()}, ec);
    if (ec == beast::http::error::need_more) {
      return Outcome::NeedMore;
    }
    if (ec) {
      return impl_->refuse(ec);
    }
  }
  return impl_->checkHead();
}

const RequestParser::Refusal& RequestParser::refusal() const { return impl_->refusal; }
Request RequestParser::takeRequest() { return std::move(impl_->request); }
bool RequestParser::keepAlive() const { return impl_->keep_alive(); }
bool RequestParser::expectsContinue() const { return impl_->expects_continue; }
bool RequestParser::bodyDone() const { return impl_->is_done(); }

std::optional<std::uint64_t> RequestParser::bodyRemaining() const {
  if (impl_->is_done()) {
    return 0;
  }
  auto remaining = impl_->content_length_remaining();
  return remaining ? std::optional<std::uint64_t>(*remaining) : std::nullopt;
}

Result<RequestParser::Piece> RequestParser::parseBody(std::string_view input, char* output,
                                                      std::size_t size) {
  Piece piece;
  impl_->setOutput(output, size);
  while (!impl_->is_done() && piece.consumed < input.size()) {
    beast::error_code ec;
    const std::string_view rest = input.substr(piece.consumed);
    piece.consumed += impl_->put({rest.data(), rest.size()}, ec);
    if (ec == beast::http::error::need_more || ec == beast::http::error::need_buffer) {
      break;
    }
    if (ec && impl_->room() < size) {
      break;  // what came before is good; the next call meets the error again
    }
    if (ec) {
      return Error(ErrorKind::InvalidArgument, "malformed request body: " + ec.message());
    }
  }
  piece.produced = size - impl_->room();
  return piece;
}

}  // namespace flotilla::http
