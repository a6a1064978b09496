#include "engine/volumes/volume_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

class RecordedEvents final : public EventLog {
 public:
  Result<void> append(Transaction&, Event event) override {
    seen.push_back(event.action + " " + event.actor_id + " " + event.attributes["driver"]);
    return {};
  }
  std::vector<std::string> seen;
};

class VolumeStoreTest : public testing::Test {
 protected:
  VolumeStoreTest() {
    std::string pattern = testing::TempDir() + "flotilla-volumes-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    database_ = Database::open(root_ + "/engine.db", volumeMigrations()).value();
    store_ = open();
  }
  ~VolumeStoreTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  std::unique_ptr<VolumeStore> open(bool alone = true) {
    return VolumeStore::create(
               *database_, events_,
               {.directory = directory(),
                .users =
                    [this](const std::string&) { return Result<std::vector<std::string>>(users_); },
                .alone = alone})
        .value();
  }
  std::string directory() const { return root_ + "/volumes"; }
  std::string data(const std::string& name) const { return directory() + "/" + name + "/_data"; }
  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static mode_t modeOf(const std::string& path) {
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
  }

  Result<Volume> make(const std::string& name) {
    return store_->create({.name = name, .driver = {}, .labels = {}, .options = {}});
  }

  std::string root_;
  RecordedEvents events_;
  std::vector<std::string> users_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<VolumeStore> store_;
};

TEST_F(VolumeStoreTest, MakesAVolumeOnce) {
  const auto volume =
      store_->create({.name = "data", .driver = "", .labels = {{"a", "b"}}, .options = {}}).value();
  EXPECT_EQ(volume.mountpoint, data("data"));
  EXPECT_EQ(volume.labels.at("a"), "b");
  EXPECT_EQ(modeOf(directory() + "/data"), 0701U);
  EXPECT_EQ(modeOf(data("data")), 0755U);
  EXPECT_EQ(
      store_->create({.name = "data", .driver = "local", .labels = {{"a", "c"}}, .options = {}})
          ->labels.at("a"),
      "b");
  EXPECT_EQ(events_.seen, std::vector<std::string>{"create data local"});
}

TEST_F(VolumeStoreTest, AnonymousOnesHaveALongNameAndALabel) {
  const auto volume = make("").value();
  EXPECT_EQ(volume.name.size(), 64U);
  EXPECT_TRUE(volume.anonymous);
  EXPECT_TRUE(volume.labels.contains("com.docker.volume.anonymous"));
  EXPECT_FALSE(make("named")->anonymous);
}

TEST_F(VolumeStoreTest, RefusesRequestsInDockersWords) {
  const auto refusal = [&](const VolumeRequest& request) {
    const auto made = store_->create(request);
    return made ? std::string("made") : made.error().message();
  };
  EXPECT_EQ(
      refusal({.name = "a", .driver = {}, .labels = {}, .options = {}}),
      "create a: volume name is too short, names should be at least two alphanumeric characters");
  EXPECT_EQ(refusal({.name = "../x", .driver = {}, .labels = {}, .options = {}}),
            "create ../x: \"../x\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
            "use absolute path");
  EXPECT_EQ(refusal({.name = "ok", .driver = "nfs", .labels = {}, .options = {}}),
            "create ok: error looking up volume plugin nfs: plugin \"nfs\" not found");
  EXPECT_EQ(refusal({.name = "ok", .driver = {}, .labels = {}, .options = {{"foo", "x"}}}),
            "create ok: invalid option: \"foo\"");
  EXPECT_EQ(refusal({.name = "ok", .driver = {}, .labels = {}, .options = {{"type", "tmpfs"}}}),
            "create ok: missing required option: \"device\"");
  for (const std::string& name : {std::string("a\0b", 3), std::string(256, 'a'),
                                  std::string(".hidden"), std::string("a b")}) {
    EXPECT_EQ(make(name).error().kind(), ErrorKind::InvalidArgument) << name;
  }
  EXPECT_TRUE(store_->list()->empty());
}

TEST_F(VolumeStoreTest, RemovesFilesRowAndTellsSo) {
  ASSERT_TRUE(make("gone"));
  fs::create_directories(data("gone") + "/a/b");
  write(data("gone") + "/a/b/file", "x");
  fs::create_symlink("/", data("gone") + "/root");
  ASSERT_TRUE(store_->remove("gone"));
  EXPECT_TRUE(fs::is_empty(directory()));
  EXPECT_TRUE(fs::exists("/tmp"));
  EXPECT_EQ(events_.seen.back(), "destroy gone local");
  EXPECT_EQ(store_->remove("gone").error().message(), "get gone: no such volume");
}

TEST_F(VolumeStoreTest, KeepsAVolumeInUse) {
  ASSERT_TRUE(make("used"));
  users_ = {"abc", "def"};
  const auto refused = store_->remove("used");
  EXPECT_EQ(refused.error().kind(), ErrorKind::Conflict);
  EXPECT_EQ(refused.error().message(), "remove used: volume is in use - [abc, def]");
  EXPECT_TRUE(fs::exists(data("used")));
}

TEST_F(VolumeStoreTest, StartUpFinishesWhatACrashLeft) {
  ASSERT_TRUE(make("kept"));
  write(data("kept") + "/file", "precious");
  // Died while removing: hidden, the row still there. And once the row had gone.
  fs::rename(directory() + "/kept", directory() + "/.removing-kept");
  fs::create_directories(directory() + "/.removing-half/_data/x");
  // Died while making: a directory without a row, empty, and one with data of an older database.
  fs::create_directories(data("empty"));
  fs::create_directories(data("found"));
  write(data("found") + "/file", "x");
  // A row whose directory somebody deleted.
  ASSERT_TRUE(make("lost"));
  fs::remove_all(directory() + "/lost");

  store_ = open();
  EXPECT_EQ(read(data("kept") + "/file"), "precious");
  EXPECT_FALSE(fs::exists(directory() + "/.removing-half"));
  EXPECT_FALSE(fs::exists(directory() + "/empty"));
  EXPECT_TRUE(store_->find("found"));
  EXPECT_TRUE(fs::is_directory(data("lost")));
}

TEST_F(VolumeStoreTest, WhatLiveWorkersAreAtIsNotSweptAway) {
  ASSERT_TRUE(make("going"));
  fs::rename(directory() + "/going", directory() + "/.removing-going");
  fs::create_directories(data("coming"));
  store_ = open(false);
  EXPECT_TRUE(fs::exists(directory() + "/.removing-going"));
  EXPECT_FALSE(fs::exists(directory() + "/going"));
  EXPECT_TRUE(fs::exists(data("coming")));
  EXPECT_TRUE(make("coming"));
}

class CopyUp : public VolumeStoreTest {
 protected:
  CopyUp() {
    fs::create_directories(source());
    EXPECT_TRUE(make("vol"));
  }
  std::string source() const { return root_ + "/image"; }
  Result<void> copy() {
    const UniqueFd fd(::open(source().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return store_->copyUp("vol", fd.get());
  }
};

TEST_F(CopyUp, KeepsModesTimesLinksAndKinds) {
  fs::create_directories(source() + "/dir/sub");
  write(source() + "/dir/file", "text");
  ::chmod((source() + "/dir/file").c_str(), 04711);
  ::chmod((source() + "/dir").c_str(), 01777);
  ::chmod(source().c_str(), 0750);
  fs::create_hard_link(source() + "/dir/file", source() + "/dir/sub/same");
  fs::create_symlink("/etc/passwd", source() + "/link");
  ASSERT_EQ(::mkfifo((source() + "/fifo").c_str(), 0640), 0);
  const timespec times[] = {{1000, 5}, {2000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (source() + "/dir").c_str(), times, 0), 0);

  ASSERT_TRUE(copy());
  const auto target = data("vol");
  EXPECT_EQ(read(target + "/dir/file"), "text");
  EXPECT_EQ(modeOf(target + "/dir/file"), 04711U);
  EXPECT_EQ(modeOf(target + "/dir"), 01777U);
  EXPECT_EQ(modeOf(target), 0750U);
  EXPECT_TRUE(fs::equivalent(target + "/dir/file", target + "/dir/sub/same"));
  EXPECT_EQ(fs::read_symlink(target + "/link"), "/etc/passwd");
  EXPECT_TRUE(fs::is_fifo(fs::symlink_status(target + "/fifo")));
  struct stat found {};
  ASSERT_EQ(::stat((target + "/dir").c_str(), &found), 0);
  EXPECT_EQ(found.st_mtim.tv_sec, 2000);
  EXPECT_EQ(found.st_mtim.tv_nsec, 7);
  EXPECT_FALSE(fs::exists(directory() + "/vol/.copying"));
}

TEST_F(CopyUp, LeavesAVolumeWithDataAlone) {
  write(source() + "/new", "new");
  write(data("vol") + "/old", "old");
  ASSERT_TRUE(copy());
  EXPECT_FALSE(fs::exists(data("vol") + "/new"));
  EXPECT_EQ(read(data("vol") + "/old"), "old");
}

TEST_F(CopyUp, StartsAgainAfterACrash) {
  write(source() + "/file", "whole");
  write(data("vol") + "/file", "ha");
  write(directory() + "/vol/.copying", "");
  ASSERT_TRUE(copy());
  EXPECT_EQ(read(data("vol") + "/file"), "whole");
}

}  // namespace
}  // namespace flotilla::engine
