#include "cli/client/demultiplexer.h"

#include <gtest/gtest.h>

#include <string>

namespace flotilla::cli {
namespace {

std::string frame(char stream, const std::string& text) {
  std::string out(8, '\0');
  out[0] = stream;
  out[7] = static_cast<char>(text.size());
  return out + text;
}

struct Collected {
  std::string out;
  std::string err;
  Demultiplexer demultiplexer{[this](Demultiplexer::Output output, std::string_view piece) {
    (output == Demultiplexer::Output::Stdout ? out : err) += piece;
  }};
};

TEST(Demultiplexer, SortsPiecesHoweverTheyAreCut) {
  const std::string bytes = frame(1, "one ") + frame(2, "error") + frame(1, "") + frame(1, "two");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    Collected collected;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(collected.demultiplexer.feed(std::string_view(bytes).substr(at, step)));
    }
    EXPECT_EQ(collected.out, "one two") << step;
    EXPECT_EQ(collected.err, "error") << step;
  }
}

TEST(Demultiplexer, PassesTheDaemonsErrorOn) {
  Collected collected;
  const auto fed = collected.demultiplexer.feed(frame(3, "broken"));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message(), "error from daemon in stream: broken");
}

TEST(Demultiplexer, RefusesWhatIsNoHeader) {
  Collected collected;
  EXPECT_FALSE(collected.demultiplexer.feed("plain text of a terminal"));
}

}  // namespace
}  // namespace flotilla::cli
