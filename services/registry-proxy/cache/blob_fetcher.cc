#include "registry-proxy/cache/blob_fetcher.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/log/log.h"

namespace flotilla::registry {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::chrono::seconds kLongestPause{15};
constexpr std::chrono::milliseconds kStopPoll{100};

std::optional<std::uint64_t> numberIn(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                   : std::nullopt;
}

/// First byte and whole size of "bytes 100-199/200".
struct ContentRange {
  std::optional<std::uint64_t> first, size;
};
ContentRange parseContentRange(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (!text.starts_with("bytes ") || dash == std::string_view::npos ||
      slash == std::string_view::npos) {
    return {};
  }
  return {numberIn(text.substr(6, dash - 6)), numberIn(text.substr(slash + 1))};
}

}  // namespace

/// One blob on its way. One thread.
class BlobFetcher::Fetch {
 public:
  Fetch(BlobFetcher& owner, Digest digest, std::shared_ptr<Blob> blob, UpstreamCall call)
      : owner_(owner),
        digest_(std::move(digest)),
        blob_(std::move(blob)),
        call_(std::move(call)),
        hasher_(digest_.algorithm()) {
    buffer_.reserve(kPiece);
  }

  void run() {
    owner_.running_.Increment();
    auto done = fetch();
    owner_.running_.Decrement();
    if (done) {
      owner_.cache_.keep(digest_, written_);
      blob_->complete(written_);
    } else {
      log::info("a blob did not arrive", {{"digest", digest_.text()},
                                          {"registry", call_.registry},
                                          {"repository", call_.repository},
                                          {"error", done.error().message}});
      owner_.cache_.giveUp(digest_,
                           wrong_ ? BlobCache::Beginning::Remove : BlobCache::Beginning::Wait);
      blob_->fail(std::move(done).error());
    }
  }

 private:
  Served<void> fetch() {
    if (auto resumed = readBeginning(); !resumed) {
      return tl::unexpected(Refusal::ofError(resumed.error()));
    }
    for (int failures = 0;;) {
      const std::uint64_t before = written_;
      auto outcome = once();
      if (outcome) {
        return check();
      }
      failures = written_ > before ? 1 : failures + 1;
      if (!mayGoOn(outcome.error()) || failures >= owner_.options_.attempts) {
        return outcome;
      }
      pause(failures, outcome.error());
    }
  }

  /// What an earlier try left is hashed again and continued.
  Result<void> readBeginning() {
    buffer_.resize(kPiece);
    for (;;) {
      const ssize_t got =
          ::pread(blob_->fd(), buffer_.data(), buffer_.size(), static_cast<off_t>(written_));
      if (got < 0 && errno != EINTR) {
        return sysError("read a partial blob", errno);
      }
      if (got == 0) {
        buffer_.clear();
        return {};
      }
      hasher_.update(
          std::string_view(buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))));
      written_ += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    }
  }

  /// One exchange, from the first byte that is missing.
  Served<void> once() {
    call_.from = written_;
    skip_ = 0;
    std::optional<std::uint64_t> expected;
    auto head = owner_.upstreams_.content(
        call_, [&](const FetchHead& seen) { return receiver(seen, expected); });
    if (auto flushed = flush(); !flushed) {
      return tl::unexpected(Refusal::ofError(flushed.error()));
    }
    if (write_error_) {
      return tl::unexpected(Refusal::ofError(*write_error_));
    }
    if (!head && head.error().status == 416 && written_ > 0) {
      return {};  // all of it was there already
    }
    if (!head) {
      return tl::unexpected(std::move(head).error());
    }
    if (expected && written_ != *expected) {
      return tl::unexpected(Refusal{.status = 504,
                                    .code = "UNAVAILABLE",
                                    .message = "unexpected EOF",
                                    .cause = "unexpected EOF"});
    }
    return {};
  }

  HttpFetcher::Sink receiver(const FetchHead& head, std::optional<std::uint64_t>& expected) {
    const auto length = numberIn(head.headers.get("Content-Length"));
    std::uint64_t first = 0;
    if (head.status == 206) {
      const ContentRange range = parseContentRange(head.headers.get("Content-Range"));
      first = range.first.value_or(written_);
      expected = range.size ? range.size : length ? std::optional(first + *length) : std::nullopt;
    } else {
      expected = length;
    }
    if (first > written_) {
      return [](std::string_view) { return false; };  // a range that nobody asked for
    }
    skip_ = written_ - first;  // a server that knows no ranges sends all again
    blob_->begin(expected);
    return [this](std::string_view piece) { return take(piece); };
  }

  bool take(std::string_view piece) {
    const std::size_t skipped =
        static_cast<std::size_t>(std::min<std::uint64_t>(skip_, piece.size()));
    skip_ -= skipped;
    piece.remove_prefix(skipped);
    if (buffer_.size() + piece.size() > kPiece && !flush()) {
      return false;
    }
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    return !abandoned();
  }

  Result<void> flush() {
    std::string_view rest(buffer_.data(), buffer_.size());
    hasher_.update(rest);
    while (!rest.empty()) {
      const ssize_t done =
          ::pwrite(blob_->fd(), rest.data(), rest.size(), static_cast<off_t>(written_));
      if (done < 0 && errno != EINTR) {
        wrong_ = true;  // the hash is ahead of the file
        write_error_ = sysError("write a blob", errno);
        return *write_error_;
      }
      written_ += static_cast<std::uint64_t>(std::max<ssize_t>(done, 0));
      rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
    }
    owner_.bytes_.Increment(static_cast<double>(buffer_.size()));
    buffer_.clear();
    blob_->received(written_);
    return {};
  }

  Served<void> check() {
    if (const Digest found = hasher_.finish(); found != digest_) {
      wrong_ = true;
      return tl::unexpected(Refusal{
          .status = 502,
          .code = "DIGEST_INVALID",
          .message =
              "the upstream's content has digest " + found.text() + ", not " + digest_.text(),
          .cause = "filesystem layer verification failed for digest " + digest_.text()});
    }
    return {};
  }

  /// Nobody waits for it but the cache and this fetch.
  [[nodiscard]] bool abandoned() const { return owner_.stopping_ || blob_.use_count() <= 2; }

  [[nodiscard]] bool mayGoOn(const Refusal& refusal) const {
    const bool temporary = refusal.status == 429 || refusal.status >= 500;
    return temporary && !wrong_ && !abandoned() && refusal.code != "DIGEST_INVALID" &&
           (written_ > 0 || refusal.cause.empty() || refusal.status == 504);
  }

  void pause(int failures, const Refusal& refusal) const {
    std::chrono::milliseconds length =
        owner_.options_.first_pause * (1 << std::min(failures - 1, 6));
    if (const auto asked = numberIn(refusal.retry_after)) {
      length = std::chrono::seconds(std::min<std::uint64_t>(*asked, 3600));
    }
    const auto until = std::chrono::steady_clock::now() +
                       std::min<std::chrono::milliseconds>(length, kLongestPause);
    while (!abandoned() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(kStopPoll, length));
    }
  }

  BlobFetcher& owner_;
  const Digest digest_;
  const std::shared_ptr<Blob> blob_;  // shared with the cache and all readers
  UpstreamCall call_;
  Hasher hasher_;
  std::vector<char> buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t skip_ = 0;
  bool wrong_ = false;
  std::optional<Error> write_error_;
};

BlobFetcher::BlobFetcher(Upstreams& upstreams, BlobCache& cache, ThreadPool& pool, Options options,
                         Metrics& metrics)
    : upstreams_(upstreams),
      cache_(cache),
      pool_(pool),
      options_(options),
      bytes_(metrics.counter("flotilla_registry_upstream_bytes_total",
                             "Blob bytes received from upstreams.")),
      running_(metrics.gauge("flotilla_registry_fetches", "Blobs on their way from upstreams.")) {}

void BlobFetcher::start(const Digest& digest, std::shared_ptr<Blob> blob, UpstreamCall call) {
  // std::function wants a copyable callable
  auto fetch = std::make_shared<Fetch>(*this, digest, blob, std::move(call));
  if (!pool_.post([fetch] { fetch->run(); })) {
    cache_.giveUp(digest, BlobCache::Beginning::Wait);
    blob->fail({.status = 503,
                .code = "TOOMANYREQUESTS",
                .message = "too many blobs at once",
                .retry_after = "5"});
  }
}

}  // namespace flotilla::registry
