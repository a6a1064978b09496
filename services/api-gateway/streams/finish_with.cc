#include "api-gateway/streams/finish_with.h"

#include <memory>
#include <string_view>
#include <utility>

namespace flotilla::gateway {
namespace {

/// Owned by the stream's own callbacks until it is closed.
class LastWords : public std::enable_shared_from_this<LastWords> {
 public:
  LastWords(net::StreamPtr stream, std::string text)
      : stream_(std::move(stream)), text_(std::move(text)) {}

  void start() {
    stream_->start([] {}, [self = shared_from_this()] { self->pump(); });
    stream_->enableRead(false);
    pump();
  }

 private:
  void pump() {
    const auto keep = shared_from_this();  // close() drops the callbacks that own us
    while (written_ < text_.size()) {
      const auto taken = stream_->write(std::string_view(text_).substr(written_));
      if (!taken) {
        stream_->abort();
        return;
      }
      written_ += *taken;
      if (*taken == 0) {
        return;
      }
    }
    stream_->close();
  }

  const net::StreamPtr stream_;
  const std::string text_;
  std::size_t written_ = 0;
};

}  // namespace

void finishWith(net::StreamPtr stream, std::string text) {
  std::make_shared<LastWords>(std::move(stream), std::move(text))->start();
}

}  // namespace flotilla::gateway
