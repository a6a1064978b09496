#include <gtest/gtest.h>

#include <array>

#include "api-gateway/cluster/calls/events_call.h"
#include "api-gateway/cluster/testing/two_hosts.h"
#include "common/stream/stream_client.h"

namespace flotilla::gateway {
namespace {

/// What a client of a streaming job sends and hears. Its stream is used on the reactor's thread.
class StreamsTest : public TwoHosts {
 protected:
  ~StreamsTest() override {
    if (client_) {
      onLoop([this] { client_->close(); });
    }
  }

  std::shared_ptr<Outcome> open(const std::string& name,
                                std::map<std::string, std::string> env = {}) {
    Job job;
    job.name = name;
    for (auto& [key, value] : env) {
      job.env.set(key, value);
    }
    auto outcome = submit(std::move(job));
    EXPECT_TRUE(eventually([&] { return outcome->established.load() || outcome->finished(); }));
    if (outcome->stream) {
      onLoop([&] {
        connectStream(reactor(), *outcome->stream, {.timeout = std::chrono::seconds(5)},
                      [this](Result<net::StreamPtr> stream) { connected(std::move(stream)); });
      });
    }
    return outcome;
  }

  void send(const std::string& bytes) {
    EXPECT_TRUE(eventually([&] { return connected_.load(); }));
    onLoop([&] {
      to_send_ += bytes;
      pump();
    });
  }

  void endInput() {
    onLoop([this] {
      half_close_ = true;
      pump();
    });
  }

  /// As a client does that is killed.
  void leave() {
    onLoop([this] { client_->close(); });
  }

  std::string heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

  bool hears(const std::string& text) {
    return eventually([&] { return heard().find(text) != std::string::npos; });
  }

  std::atomic<bool> ended_ = false;

 private:
  void connected(Result<net::StreamPtr> stream) {
    ASSERT_TRUE(stream.has_value());
    client_ = *std::move(stream);
    client_->start([this] { read(); }, [this] { pump(); });
    connected_ = true;
  }

  void pump() {
    while (!to_send_.empty()) {
      const auto taken = client_->write(to_send_);
      if (!taken || *taken == 0) {
        return;
      }
      to_send_.erase(0, *taken);
    }
    if (half_close_) {
      client_->shutdownWrite();
    }
  }

  void read() {
    std::array<char, 65536> piece{};
    const auto size = client_->read(piece.data(), piece.size());
    if (!size && size.error().kind() == ErrorKind::Unavailable) {
      return;
    }
    if (!size || *size == 0) {
      client_->enableRead(false);
      ended_ = true;
      return;
    }
    const std::lock_guard lock(mutex_);
    heard_.append(piece.data(), *size);
  }

  net::StreamPtr client_;
  std::atomic<bool> connected_ = false;
  std::string to_send_;
  bool half_close_ = false;
  std::mutex mutex_;  // guards heard_
  std::string heard_;
};

TEST_F(StreamsTest, EventsOfAllHostsComeAsOneStreamWithTheirNode) {
  start();
  const auto outcome = open("events");
  ASSERT_TRUE(outcome->stream.has_value());
  one_.put({.id = "a1", .name = "first", .image = "busybox"});
  two_.put({.id = "b1", .name = "second", .image = "busybox"});
  EXPECT_TRUE(hears("\"name\":\"first\""));
  EXPECT_TRUE(hears("\"name\":\"second\""));
  EXPECT_TRUE(hears("\"node.name\":\"node-1\""));
  EXPECT_TRUE(hears("\"from\":\"busybox node:node-2\""));
  EXPECT_FALSE(outcome->finished());
  cluster().cancel(outcome->job_id);
  EXPECT_TRUE(eventually([&] { return outcome->finished(); }));
}

TEST_F(StreamsTest, EventsGoOnWhenAHostComesBack) {
  start();
  const auto outcome = open("events");
  one_.die();
  EXPECT_TRUE(becomes("node-1", "Unhealthy"));
  EXPECT_TRUE(hears("engine_disconnect"));
  two_.put({.id = "b1", .name = "meanwhile", .image = "busybox"});
  EXPECT_TRUE(hears("meanwhile"));
  one_.revive();
  EXPECT_TRUE(becomes("node-1", "Healthy"));
  EXPECT_TRUE(hears("engine_reconnect"));
  int serial = 0;
  EXPECT_TRUE(eventually([&] {  // once its stream is there again
    one_.put({.id = "a" + std::to_string(++serial), .name = "again", .image = "busybox"});
    return heard().find("\"name\":\"again\"") != std::string::npos;
  }));
}

/// HostFeed's own jobs have no environment.
std::function<std::optional<Error>(const Job&)> refuseClients(
    std::shared_ptr<std::atomic<int>> times) {
  return [times](const Job& job) -> std::optional<Error> {
    if (job.env.values().empty() || (*times)-- <= 0) {
      return std::nullopt;
    }
    return Error{ErrorKind::Unavailable, "its stream port is shut"};
  };
}

TEST_F(StreamsTest, PastEventsOfAHostThatFailsOnceAreWaitedFor) {
  one_.refuse_events = refuseClients(std::make_shared<std::atomic<int>>(1));
  one_.put({.id = "a1", .name = "first", .image = "busybox"});
  two_.put({.id = "b1", .name = "second", .image = "busybox"});
  start();
  const auto outcome = open("events", {{"since", "0"}, {"until", "1"}});
  ASSERT_TRUE(outcome->stream.has_value());
  EXPECT_TRUE(eventually([&] { return ended_.load() && outcome->finished(); }));
  EXPECT_NE(heard().find("\"name\":\"first\""), std::string::npos) << heard();
  EXPECT_NE(heard().find("\"name\":\"second\""), std::string::npos) << heard();
  EXPECT_EQ(outcome->env.get("warnings"), "");
  EXPECT_TRUE(outcome->future.get());
}

TEST_F(StreamsTest, PastEventsThatCannotBeHadAreNamed) {
  one_.refuse_events = refuseClients(std::make_shared<std::atomic<int>>(1000));
  two_.put({.id = "b1", .name = "second", .image = "busybox"});
  start();
  const auto outcome = open("events", {{"since", "0"}, {"until", "1"}});
  ASSERT_TRUE(outcome->stream.has_value());
  EXPECT_TRUE(eventually([&] { return ended_.load() && outcome->finished(); }));
  EXPECT_NE(heard().find("\"name\":\"second\""), std::string::npos) << heard();
  EXPECT_EQ(outcome->env.getList("warnings"),
            std::vector<std::string>{"node-1: its stream port is shut"});
  EXPECT_TRUE(outcome->future.get());
}

TEST_F(StreamsTest, EventsNameTheHostsThatAreAway) {
  start();
  one_.die();
  EXPECT_TRUE(becomes("node-1", "Unhealthy"));
  for (const char* until : {"", "1"}) {
    Job job;
    job.name = "events";
    job.env.set("since", "0");
    job.env.set("until", until);
    const auto outcome = submit(std::move(job));
    ASSERT_TRUE(eventually([&] { return outcome->established.load(); }));
    const auto warnings = outcome->env.getList("warnings");
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings.front().starts_with("node-1: ")) << warnings.front();
    cluster().cancel(outcome->job_id);
    EXPECT_TRUE(eventually([&] { return outcome->finished(); }));
  }
}

TEST_F(StreamsTest, EventsThatNobodyTellsAreAnError) {
  const auto refuse = refuseClients(std::make_shared<std::atomic<int>>(1000));
  one_.refuse_events = refuse;
  two_.refuse_events = refuse;
  start();
  for (const bool past : {false, true}) {
    std::map<std::string, std::string> env = {{"since", "0"}};
    if (past) {
      env["until"] = "1";
    }
    const auto outcome = open("events", env);
    EXPECT_FALSE(outcome->established);
    const auto result = outcome->future.get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
    for (const std::string node : {"node-1", "node-2"}) {
      EXPECT_NE(message(result).find(node + ": its stream port is shut"), std::string::npos);
    }
  }
}

TEST_F(StreamsTest, AHostWithoutAnEventYetIsContinuedFromWhereItWasFollowed) {
  one_.put({.id = "a0", .name = "before", .image = "busybox"});
  start();
  const auto outcome = open("events");
  ASSERT_TRUE(outcome->stream.has_value());
  two_.put({.id = "b1", .name = "second", .image = "busybox"});
  EXPECT_TRUE(hears("second"));
  onLoop([this] {
    one_.dropStreams();
    // After the streams and before they are made anew: nobody is told.
    reactor().post([this] { one_.put({.id = "a1", .name = "meanwhile", .image = "busybox"}); });
  });
  EXPECT_TRUE(hears("meanwhile"));
  EXPECT_EQ(heard().find("before"), std::string::npos) << heard();
  cluster().cancel(outcome->job_id);
  EXPECT_TRUE(eventually([&] { return outcome->finished(); }));
}

TEST_F(StreamsTest, AHostThatJoinsIsHeardToo) {
  start();
  const auto outcome = open("events");
  ASSERT_TRUE(outcome->stream.has_value());
  FakeEngine* late = nullptr;
  onLoop([&] { late = &engine("node-3"); });
  list({"node-1", "node-2", "node-3"});
  EXPECT_TRUE(hears("engine_connect"));
  EXPECT_TRUE(becomes("node-3", "Healthy"));
  int serial = 0;
  EXPECT_TRUE(eventually([&] {
    late->put({.id = "c" + std::to_string(++serial), .name = "newcomer", .image = "busybox"});
    return heard().find("\"node.name\":\"node-3\"") != std::string::npos;
  }));
}

TEST_F(StreamsTest, AHostThatJoinsIsNotFollowedForAClientThatLeft) {
  start();
  const auto outcome = open("events", {{"since", "0"}});
  ASSERT_TRUE(outcome->stream.has_value());
  one_.put({.id = "a1", .name = "first", .image = "busybox"});
  EXPECT_TRUE(hears("first"));
  leave();  // which shows when the next line is written: that of the host that joins
  const auto followed = std::make_shared<std::atomic<int>>(0);
  onLoop([&] {
    engine("node-3").refuse_events = [followed](const Job& job) -> std::optional<Error> {
      *followed += job.env.values().empty() ? 0 : 1;  // HostFeed's own jobs have no environment
      return std::nullopt;
    };
  });
  list({"node-1", "node-2", "node-3"});
  EXPECT_TRUE(eventually([&] { return outcome->finished(); }));
  EXPECT_TRUE(becomes("node-3", "Healthy"));
  onLoop([] {});
  EXPECT_EQ(*followed, 0);
}

TEST_F(StreamsTest, AnArchiveGoesToEveryHostAndIsAnsweredOnce) {
  start();
  const auto outcome = open("image_load");
  ASSERT_TRUE(outcome->stream.has_value());
  const std::string archive(3U << 20U, 'x');
  send(archive);
  endInput();
  EXPECT_TRUE(eventually([&] { return ended_.load() && outcome->finished(); }));
  EXPECT_EQ(one_.loaded().size(), archive.size());
  EXPECT_EQ(two_.loaded(), archive);
  EXPECT_EQ(heard(), one_.load_answer);
}

TEST_F(StreamsTest, WhatOneHostCouldNotLoadIsSaidAtTheEnd) {
  two_.load_answer = "{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\n";
  start();
  const auto outcome = open("image_load");
  send("archive");
  endInput();
  EXPECT_TRUE(eventually([&] { return ended_.load(); }));
  EXPECT_NE(heard().find("Loaded image"), std::string::npos);
  EXPECT_NE(heard().find("\"error\":\"node-2: no space\""), std::string::npos);
}

TEST_F(StreamsTest, WhatOneHostRefusedWithoutAWordIsSaidAtTheEnd) {
  two_.load_answer = "";
  two_.load_result = Error{ErrorKind::Internal, "no space"};
  start();
  const auto outcome = open("image_load");
  send("archive");
  endInput();
  EXPECT_TRUE(eventually([&] { return ended_.load(); }));
  EXPECT_NE(heard().find("Loaded image"), std::string::npos);
  EXPECT_NE(heard().find("\"error\":\"node-2: no space\""), std::string::npos) << heard();
}

TEST_F(StreamsTest, AHostThatDiesBeforeItsResultDoesNotHoldUpALoad) {
  two_.lose_load_result = true;
  start();
  const auto outcome = open("image_load");
  send("archive");
  endInput();
  EXPECT_TRUE(hears("Loaded image"));
  EXPECT_TRUE(eventually([&] { return !two_.loaded().empty(); }));
  two_.die();
  EXPECT_TRUE(eventually([&] { return ended_.load(); }));
  EXPECT_TRUE(hears("\"error\":\"node-2: no worker serves engine id-node-2\"")) << heard();
}

TEST_F(StreamsTest, HostsThatAreDownAreNamedAtTheEndOfALoad) {
  start();
  two_.die();
  EXPECT_TRUE(becomes("node-2", "Unhealthy"));
  const auto outcome = open("image_load");
  send("archive");
  endInput();
  EXPECT_TRUE(eventually([&] { return ended_.load(); }));
  EXPECT_EQ(heard(),
            one_.load_answer +
                "{\"status\":\"Not done on node-2: no worker serves engine id-node-2\"}\n");
}

TEST_F(StreamsTest, AHostThatHangsDoesNotHoldUpALoad) {
  start();
  one_.hang();
  const auto outcome = open("image_load");
  send("archive");
  endInput();
  EXPECT_TRUE(eventually([&] { return ended_.load(); }));
  EXPECT_EQ(two_.loaded(), "archive");
  EXPECT_NE(heard().find("Loaded image"), std::string::npos);
}

TEST(DecorateEvent, AddsTheNodeAndKeepsTheRest) {
  Host host;
  host.address = "10.0.0.1:2375";
  host.facts.name = "n1";
  host.facts.engine_id = "id1";
  std::int64_t time = 0;
  EXPECT_EQ(
      decorateEvent(R"({"Type":"image","Action":"tag","timeNano":7})", host, &time),
      R"({"Type":"image","Action":"tag","timeNano":7,"Actor":{"Attributes":{"node.name":"n1",)"
      R"("node.id":"id1","node.addr":"10.0.0.1:2375","node.ip":"10.0.0.1"}},)"
      R"("node":{"Name":"n1","Id":"id1","Addr":"10.0.0.1:2375","Ip":"10.0.0.1"}})"
      "\n");
  EXPECT_EQ(time, 7);
  EXPECT_EQ(decorateEvent("no event", host, nullptr), "");
}

}  // namespace
}  // namespace flotilla::gateway
