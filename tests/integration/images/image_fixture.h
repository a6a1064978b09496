#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/images/image_load.h"
#include "engine/images/image_queries.h"
#include "engine/images/image_removal.h"
#include "engine/images/image_save.h"
#include "engine/images/local_image_store.h"
#include "engine/images/sha256.h"
#include "tests/integration/images/tar_builder.h"

namespace flotilla::engine::testing {

/// Keeps what was appended.
class RecordingEventLog : public EventLog {
 public:
  Result<void> append(Transaction&, Event event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    return {};
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const Event& event : events_) {
      out.push_back(event.action + " " + event.attributes.at("name"));
    }
    events_.clear();
    return out;
  }

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
};

/// One image of one or several layers, as `docker save` used to write them.
struct ImageSpec {
  std::vector<std::string> layers;         // tars
  std::vector<std::string> diff_ids = {};  // when they lie
  std::vector<std::string> tags = {};
  nlohmann::json config = nlohmann::json::object();
};

std::string configOf(const ImageSpec& spec);
std::string imageIdOf(const ImageSpec& spec);
std::string dockerArchive(const std::vector<ImageSpec>& specs);

/// A store in a directory of its own. Needs root (chroot, mknod, trusted.* attributes).
class ImageStoreTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void open();
  void close();

  /// What a load writes to its client; the error as its last line.
  std::string load(const std::string& archive, bool quiet = true);
  std::string loadError(const std::string& archive);
  std::string save(const std::vector<std::string>& names);
  nlohmann::json list(const std::string& filters = "", bool all = false, ApiVersion version = {});
  nlohmann::json inspect(const std::string& name, ApiVersion version = {});
  /// "Untagged: x" lines, or the error's message.
  std::vector<std::string> remove(const std::string& name, bool force = false);

  /// Every file below the store's root but the database, sorted.
  std::vector<std::string> files() const;
  /// The unpacked top layer of an image.
  std::filesystem::path top(const std::string& name);

  std::filesystem::path base_;
  std::unique_ptr<Database> database_;
  RecordingEventLog events_;
  std::unique_ptr<LocalImageStore> store_;
  std::vector<ContainerUse> containers_;
};

/// A stream that reads from a text and collects what is written.
ImageStream memoryStream(const std::string& input, std::string& output, std::size_t piece = 65'536);

}  // namespace flotilla::engine::testing
