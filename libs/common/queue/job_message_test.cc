#include "common/queue/job_message.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

ClusterKey key() { return ClusterKey::fromBytes("the key of these tests, 32 bytes."); }

JobEnvelope envelope() {
  JobEnvelope made{
      .engine_id = "e1", .gateway_id = "g1", .issued_ms = 1700000000123, .lifetime_ms = 30000};
  made.job = {.id = "j1",
              .name = "container_create",
              .args = {"a", "", "1:x,"},
              .body = std::string("{\0}", 3)};
  made.job.api_version = {1, 44};
  made.job.request_id = "r1";
  made.job.env.set("name", "x,3:y");
  made.job.env.set("empty", "");
  return made;
}

TEST(JobMessage, AJobSurvivesTheJourney) {
  const auto sent = envelope();
  const auto read = decodeJob(encodeJob(sent)).value();
  EXPECT_EQ(read.engine_id, "e1");
  EXPECT_EQ(read.gateway_id, "g1");
  EXPECT_EQ(read.issued_ms, 1700000000123);
  EXPECT_EQ(read.lifetime_ms, 30000);
  EXPECT_EQ(read.job.id, "j1");
  EXPECT_EQ(read.job.name, "container_create");
  EXPECT_EQ(read.job.args, sent.job.args);
  EXPECT_EQ(read.job.body, sent.job.body);
  EXPECT_EQ(read.job.env.values(), sent.job.env.values());
  EXPECT_EQ(read.job.api_version, (ApiVersion{1, 44}));
  EXPECT_EQ(read.job.request_id, "r1");
}

TEST(JobMessage, NoPrefixOfAJobIsAJob) {
  const std::string text = encodeJob(envelope());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decodeJob(std::string_view(text).substr(0, size))) << size;
  }
  EXPECT_FALSE(decodeJob(text + "1:x,"));
  EXPECT_FALSE(decodeJob("99999999999999999999:x,"));
  EXPECT_FALSE(decodeJob("4:job1,18446744073709551615:x,"));
}

TEST(JobMessage, ResultsAndErrorsSurviveTheJourney) {
  JobOutput output{.body = "{}", .env = {}};
  output.env.set("warnings", "[]");
  const auto read = decodeReply(key(), encodeReply(key(), "j1", JobResult(output))).value();
  EXPECT_EQ(read.job_id, "j1");
  const auto& result = std::get<JobResult>(read.content);
  EXPECT_EQ(result->body, "{}");
  EXPECT_EQ(result->env.get("warnings"), "[]");

  const auto failed = Error{ErrorKind::Conflict, "name in use"}.retryIn(std::chrono::seconds(7));
  const auto refusal = decodeReply(key(), encodeReply(key(), "j2", JobResult(failed))).value();
  EXPECT_EQ(std::get<JobResult>(refusal.content).error(), failed);
}

TEST(JobMessage, EstablishedWithAndWithoutAStream) {
  Established message;
  message.env.set("tty", "1");
  const auto plain = decodeReply(key(), encodeReply(key(), "j1", message)).value();
  EXPECT_FALSE(std::get<Established>(plain.content).stream);
  EXPECT_EQ(std::get<Established>(plain.content).env.get("tty"), "1");
  message.stream = StreamEndpoint{"unix:/run/x", "00ff"};
  const auto streamed = decodeReply(key(), encodeReply(key(), "j1", message)).value();
  EXPECT_EQ(std::get<Established>(streamed.content).stream->address, "unix:/run/x");
  EXPECT_EQ(std::get<Established>(streamed.content).stream->ticket, "00ff");
}

TEST(JobMessage, AlteredAndForeignRepliesAreRefused) {
  const std::string message =
      encodeReply(key(), "j1", JobResult(JobOutput{.body = "x", .env = {}}));
  for (std::size_t i = 0; i < message.size(); ++i) {
    std::string altered = message;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_EQ(decodeReply(key(), altered).error().kind(), ErrorKind::PermissionDenied) << i;
  }
  const auto other = ClusterKey::fromBytes("another cluster's key, 32 bytes!!");
  EXPECT_FALSE(decodeReply(other, message));
  EXPECT_FALSE(decodeReply(key(), ""));
}

TEST(ClusterKey, PurposesAreApart) {
  const std::string mac = key().sign(kJobPurpose, "text");
  EXPECT_TRUE(key().verify(kJobPurpose, "text", mac));
  EXPECT_FALSE(key().verify(kReplyPurpose, "text", mac));
  EXPECT_FALSE(key().verify(kJobPurpose, "text", mac.substr(1)));
}

}  // namespace
}  // namespace flotilla
