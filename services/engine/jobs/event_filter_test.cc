#include "engine/jobs/event_filter.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

Event containerEventOf(const std::string& action) {
  Event event;
  event.type = "container";
  event.action = action;
  event.actor_id = "abc123";
  event.attributes = {{"image", "reg:5000/team/app:v1"}, {"name", "web"}, {"tier", "front"}};
  return event;
}

bool passes(const std::string& filters, const Event& event) {
  return EventFilter::parse(filters).value().matches(event);
}

TEST(EventFilter, NoFilterPassesAll) { EXPECT_TRUE(passes("", containerEventOf("start"))); }

TEST(EventFilter, AnImageIsMeantWithAndWithoutItsTag) {
  const Event event = containerEventOf("start");
  EXPECT_TRUE(passes(R"({"image":["reg:5000/team/app:v1"]})", event));
  EXPECT_TRUE(passes(R"({"image":["reg:5000/team/app"]})", event));
  EXPECT_FALSE(passes(R"({"image":["reg"]})", event)) << "a registry's port is not a tag";
  EXPECT_FALSE(passes(R"({"image":["reg:5000/team/app:v2"]})", event));
  Event untagged = event;
  untagged.attributes["image"] = "reg:5000/team/app";
  EXPECT_TRUE(passes(R"({"image":["reg:5000/team/app"]})", untagged));
  EXPECT_FALSE(passes(R"({"image":["reg"]})", untagged));
}

TEST(EventFilter, AnImagesOwnEventsGoByNameAndId) {
  Event event;
  event.type = "image";
  event.action = "pull";
  event.actor_id = "busybox:latest";
  event.attributes = {{"name", "busybox"}};
  EXPECT_TRUE(passes(R"({"image":["busybox"]})", event));
  EXPECT_TRUE(passes(R"({"image":["busybox:latest"]})", event));
  EXPECT_FALSE(passes(R"({"image":["busy"]})", event));
}

TEST(EventFilter, AnExecsActionIsMeantWithoutItsCommand) {
  EXPECT_TRUE(passes(R"({"event":["exec_start"]})", containerEventOf("exec_start: sh -c true")));
  EXPECT_FALSE(passes(R"({"event":["exec_create"]})", containerEventOf("exec_start: sh")));
  EXPECT_FALSE(passes(R"({"event":["st"]})", containerEventOf("start")));
}

TEST(EventFilter, ValuesAreAlternativesAndNamesAreNot) {
  const Event event = containerEventOf("start");
  EXPECT_TRUE(passes(R"({"event":["die","start"]})", event));
  EXPECT_FALSE(passes(R"({"event":["start"],"type":["image"]})", event));
  EXPECT_TRUE(passes(R"({"container":["web"]})", event));
  EXPECT_TRUE(passes(R"({"container":["abc"]})", event));
  EXPECT_FALSE(passes(R"({"container":["bc"]})", event));
  EXPECT_TRUE(passes(R"({"label":["tier=front"]})", event));
  EXPECT_FALSE(passes(R"({"label":["tier=front","other"]})", event)) << "labels must all match";
  EXPECT_TRUE(passes(R"({"nobody-knows":["x"]})", event));
  EXPECT_FALSE(passes(R"({"scope":["swarm"]})", event));
}

TEST(EventFilter, AnEventIsOneLine) {
  Event event = containerEventOf("start");
  event.time_ns = 1'500'000'000;
  EXPECT_EQ(eventJson(event),
            R"({"status":"start","id":"abc123","from":"reg:5000/team/app:v1","Type":"container",)"
            R"("Action":"start","Actor":{"ID":"abc123","Attributes":{"image":)"
            R"("reg:5000/team/app:v1","name":"web","tier":"front"}},"scope":"local","time":1,)"
            R"("timeNano":1500000000})"
            "\n");
}

}  // namespace
}  // namespace flotilla::engine
