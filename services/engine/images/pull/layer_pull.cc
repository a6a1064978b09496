#include "engine/images/pull/layer_pull.h"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "engine/images/image_records.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxThreads = 6;  // of one pull: some download while others unpack
constexpr std::chrono::milliseconds kPoll{100};

}  // namespace

/// What is there already, and what must come.
Result<void> LayerPull::plan(const ImageDocument& document, const std::vector<Descriptor>& layers) {
  const std::vector<std::string> chain = document.chainIds();
  std::map<std::string, Layer*> by_digest;
  return parts_.images.database.read([&](Transaction& transaction) -> Result<void> {
    ImageRecords records(transaction);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string& digest = layers[i].digest;
      FLO_TRY_ASSIGN(const auto known, records.findLayer(chain[i]));
      FLO_TRY_ASSIGN(const bool stored, records.hasBlob(std::string(digestHex(digest))));
      Layer*& layer = by_digest[digest];
      if (layer == nullptr) {
        layer = &layers_.emplace_back(Layer{.descriptor = layers[i], .id = shortId(digest)});
        layer->source = known ? Source::Known : stored ? Source::Stored : Source::Remote;
        if (layer->source == Source::Remote) {
          remote_.push_back(layer);
        }
      } else if (layer->source == Source::Known && !known) {
        layer->source = stored ? Source::Stored : Source::Remote;
      }
      order_.push_back(layer);
    }
    return {};
  });
}

Result<std::vector<IncomingFile*>> LayerPull::run(const ImageDocument& document,
                                                  const std::vector<Descriptor>& layers) {
  FLO_TRY(plan(document, layers));
  for (Layer& layer : layers_) {
    parts_.progress.step(layer.source == Source::Remote ? "Pulling fs layer" : "Already exists",
                         layer.id);
    if (layer.source == Source::Stored) {
      layer.stored.hex = digestHex(layer.descriptor.digest);
      layer.stored.ended = true;
      layer.file = &layer.stored;
    }
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min(remote_.size(), kMaxThreads); ++i) {
    threads.emplace_back([this] {
      ::pthread_setname_np(::pthread_self(), "pull-layer");
      work();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  MutexLock lock(mutex_);
  if (error_) {
    return *error_;
  }
  std::vector<IncomingFile*> files;
  for (const Layer* layer : order_) {
    files.push_back(layer->file);
  }
  return files;
}

/// Each thread's: the next layer that nobody has begun, lowest first.
void LayerPull::work() {
  for (;;) {
    const std::size_t index = next_++;
    if (index >= remote_.size() || stopped()) {
      return;
    }
    if (auto done = obtain(*remote_[index]); !done) {
      fail(std::move(done).error());
    }
  }
}

void LayerPull::fail(Error error) {
  MutexLock lock(mutex_);
  if (!error_) {
    error_ = std::move(error);  // what follows are consequences
  }
  failed_ = true;
}

Result<void> LayerPull::obtain(Layer& layer) {
  const auto is_stopped = [this] { return stopped(); };
  layer.intake.emplace(parts_.images, parts_.workspace, is_stopped);
  if (!parts_.slots.take(is_stopped)) {
    return Error{ErrorKind::Unavailable, "cancelled"};
  }
  const auto downloaded = download(layer);
  parts_.slots.giveBack();
  FLO_TRY(downloaded);
  parts_.progress.bar("Extracting", layer.id, layer.file->size, layer.file->size);
  FLO_TRY(layer.intake->unpacked(*layer.file));
  parts_.progress.step("Pull complete", layer.id);
  return {};
}

Result<void> LayerPull::download(Layer& layer) {
  FLO_TRY_ASSIGN(layer.file, layer.intake->begin(LayerIntake::Keep::Layer));
  BarPacer pacer;
  for (int attempt = 1;; ++attempt) {
    const std::uint64_t before = layer.file->size;
    const auto done = tryDownload(layer, pacer);
    if (done) {
      break;
    }
    if (layer.file->size > before) {
      attempt = 1;
    }
    if (done.error().kind() != ErrorKind::Unavailable || attempt >= parts_.attempts ||
        !waitToRetry(layer, attempt)) {
      return done;
    }
  }
  parts_.progress.step("Verifying Checksum", layer.id);
  FLO_TRY(layer.intake->end(*layer.file));
  if ("sha256:" + layer.file->hex != layer.descriptor.digest) {
    return Error{ErrorKind::Internal,
                 "filesystem layer verification failed for digest " + layer.descriptor.digest};
  }
  parts_.progress.step("Download complete", layer.id);
  return {};
}

/// One connection, from where the last one broke off.
Result<void> LayerPull::tryDownload(Layer& layer, BarPacer& pacer) {
  IncomingFile& file = *layer.file;
  const std::uint64_t size = layer.descriptor.size;
  Result<void> written;
  if (file.size > 0 && file.size == size) {
    return {};
  }
  const auto got = parts_.registry.blob(
      parts_.caller, layer.descriptor.digest, file.size, [&](std::string_view piece) {
        if (size > 0 && file.size + piece.size() > size) {
          written = Error{ErrorKind::Internal, "filesystem layer verification failed for digest " +
                                                   layer.descriptor.digest};
          return false;
        }
        written = layer.intake->append(file, piece);
        if (pacer.due() || file.size == size) {
          parts_.progress.bar("Downloading", layer.id, file.size, size);
        }
        return written && !stopped();
      });
  return written ? got : written;
}

bool LayerPull::waitToRetry(const Layer& layer, int attempt) const {
  // dockerd's steps and words.
  for (int seconds = attempt * 5; seconds > 0; --seconds) {
    parts_.progress.step(
        "Retrying in " + std::to_string(seconds) + (seconds == 1 ? " second" : " seconds"),
        layer.id);
    for (int i = 0; i < 10; ++i) {
      if (stopped()) {
        return false;
      }
      std::this_thread::sleep_for(kPoll);
    }
  }
  return true;
}

}  // namespace flotilla::engine
