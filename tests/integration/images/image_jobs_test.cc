#include "engine/jobs/image_jobs.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "common/event/reactor.h"
#include "common/job/testing/recorded_context.h"
#include "common/os/unique_fd.h"
#include "tests/integration/images/image_fixture.h"

namespace flotilla::engine::testing {
namespace {

using ::testing::HasSubstr;
using testing_support::RecordedContext;

/// The jobs with a stream port, as a worker wires them; the test is the gateway.
class ImageJobsTest : public ImageStoreTest {
 protected:
  void SetUp() override {
    ImageStoreTest::SetUp();
    if (!store_) {
      return;
    }
    reactor_ = Reactor::create().value();
    streams_ = StreamServer::listenUnix(*reactor_, (base_ / "stream.sock").string()).value();
    loop_ = std::thread([this] { reactor_->run(); });
    addImageJobs(engine_, *store_, *streams_, bulk_, {.idle = std::chrono::seconds(5)});
  }

  void TearDown() override {
    if (reactor_) {
      reactor_->stop();
      loop_.join();
      streams_.reset();
    }
    ImageStoreTest::TearDown();
  }

  std::shared_ptr<RecordedContext> run(Job job) {
    auto context = std::make_shared<RecordedContext>(std::move(job));
    engine_.run(context);
    return context;
  }

  static StreamEndpoint endpointOf(const RecordedContext& context) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!context.establishedMessage() && std::chrono::steady_clock::now() < until) {
      std::this_thread::yield();
    }
    const auto message = context.establishedMessage();
    EXPECT_TRUE(message && message->stream);
    return message && message->stream ? *message->stream : StreamEndpoint{};
  }

  UniqueFd connect(const StreamEndpoint& endpoint) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = endpoint.address.substr(5);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    sendAll(fd.get(), endpoint.ticket + "\n");
    return fd;
  }

  static void sendAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (done <= 0) {
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
  }

  static std::string receiveAll(int fd) {
    std::string out;
    char buffer[65536];
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;) {
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }

  ThreadPool queries_{{.name = "query", .max_threads = 2}};
  ThreadPool work_{{.name = "work", .max_threads = 2}};
  ThreadPool bulk_{{.name = "bulk", .max_threads = 2}};
  JobEngine engine_{queries_, work_};
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<StreamServer> streams_;
  std::thread loop_;
};

Job jobOf(const std::string& name, std::vector<std::string> args = {}) {
  Job job;
  job.id = std::string(32, '1');
  job.name = name;
  job.args = std::move(args);
  return job;
}

TEST_F(ImageJobsTest, LoadAndSaveMoveTheirArchivesOverTheStream) {
  const ImageSpec spec{{TarBuilder().file("a", std::string(3'000'000, 'a')).finish()}, {}, {"x:1"}};
  auto load = run(jobOf("image_load"));
  {
    const UniqueFd fd = connect(endpointOf(*load));
    sendAll(fd.get(), dockerArchive({spec}));
    ::shutdown(fd.get(), SHUT_WR);
    EXPECT_THAT(receiveAll(fd.get()), HasSubstr("\"stream\":\"Loaded image: x:1\\n\""));
  }
  EXPECT_TRUE(load->waitResult());
  auto save = run(jobOf("image_save", {"x:1"}));
  const UniqueFd fd = connect(endpointOf(*save));
  EXPECT_EQ(receiveAll(fd.get()), this->save({"x:1"}));
  EXPECT_TRUE(save->waitResult());
}

TEST_F(ImageJobsTest, ABadArchiveEndsWithAnErrorLineThatArrives) {
  auto load = run(jobOf("image_load"));
  const UniqueFd fd = connect(endpointOf(*load));
  std::thread sender([&fd] {
    sendAll(fd.get(), TarBuilder().file("../x", "x").finish() + std::string(8'000'000, 'z'));
    ::shutdown(fd.get(), SHUT_WR);
  });
  EXPECT_EQ(
      receiveAll(fd.get()),
      "{\"errorDetail\":{\"message\":\"invalid entry name \\\"../x\\\"\"},\"error\":\"invalid entry name \\\"../x\\\"\"}\r\n");
  sender.join();
  EXPECT_TRUE(load->waitResult());
}

TEST_F(ImageJobsTest, WhatCanBeCheckedEarlyFailsWithoutAStream) {
  Job import = jobOf("image_import");
  import.env.setList("changes", {"FOO x"});
  EXPECT_EQ(run(import)->waitResult().error().message(), "FOO is not a valid change command");
  EXPECT_EQ(run(jobOf("image_save", {"nosuch"}))->waitResult().error().message(),
            "No such image: nosuch");
  Job tag = jobOf("image_tag", {"nosuch"});
  tag.env.set("repo", "Foo");
  EXPECT_EQ(run(tag)->waitResult().error().message(),
            "invalid reference format: repository name (library/Foo) must be lowercase");
}

TEST_F(ImageJobsTest, ACancelledLoadLeavesNothing) {
  const auto before = files();
  auto load = run(jobOf("image_load"));
  const UniqueFd fd = connect(endpointOf(*load));
  const std::string archive = dockerArchive(
      {{{TarBuilder().file("a", std::string(3'000'000, 'a')).finish()}, {}, {"x:1"}}});
  sendAll(fd.get(), std::string_view(archive).substr(0, 2'000'000));
  load->cancel();
  receiveAll(fd.get());
  EXPECT_TRUE(load->waitResult());  // told by its line, which this client never got
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace flotilla::engine::testing
