#include "common/queue/redis_outbox.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(RedisOutbox, HoldsAnEntryFromTheMomentItIsAdded) {
  const auto reactor = Reactor::create().value();
  const auto outbox = std::make_shared<RedisOutbox>(*reactor, RedisKeys("c"), "e1");
  EXPECT_FALSE(outbox->holds("1-0"));
  outbox->add({"g", "the result", "1-0"});
  EXPECT_TRUE(outbox->holds("1-0"));  // its job is over, and no copy of it may begin
  EXPECT_FALSE(outbox->empty());
}

}  // namespace
}  // namespace flotilla
