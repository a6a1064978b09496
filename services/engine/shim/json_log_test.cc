#include "engine/shim/json_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace flotilla::engine::shim {
namespace {

std::string escaped(std::string_view text) {
  std::string out(text.size() * 6 + 32, '\0');
  out.resize(static_cast<std::size_t>(escapeJson(out.data(), text) - out.data()));
  return out;
}

std::string formatted(std::time_t second, long nanos) {
  TimeFormatter formatter;
  std::string out(64, '\0');
  const timespec time{second, nanos};
  out.resize(static_cast<std::size_t>(formatter.write(out.data(), time) - out.data()));
  return out;
}

std::vector<std::string> split(const std::vector<std::string>& pieces, bool end) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  const auto take = [&lines](std::string_view line, const timespec&) { lines.emplace_back(line); };
  for (const std::string& piece : pieces) {
    splitter.feed(piece, timespec{1, 0}, take);
  }
  if (end) {
    splitter.finish(take);
  }
  return lines;
}

TEST(JsonLog, EscapesAsDockerDoes) {
  EXPECT_EQ(escaped("plain text, longer than one block of sixteen"),
            "plain text, longer than one block of sixteen");
  EXPECT_EQ(escaped("a\"b\\c\n\r\t\x01"), "a\\\"b\\\\c\\n\\r\\u0009\\u0001");
  EXPECT_EQ(escaped("<a&b>"), "\\u003ca\\u0026b\\u003e");
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3");
  EXPECT_EQ(escaped("\xe2\x80\xa8"), "\\u2028");
  EXPECT_EQ(escaped("\x7f"), "\x7f");
}

TEST(JsonLog, ReplacesInvalidUtf8ByteByByte) {
  EXPECT_EQ(escaped("\xff"), "\\ufffd");
  EXPECT_EQ(escaped("\xc3("), "\\ufffd(");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");  // a surrogate
  EXPECT_EQ(escaped("\xe2\x80"), "\\ufffd\\ufffd");
  EXPECT_EQ(escaped("\xc0\xaf"), "\\ufffd\\ufffd");  // overlong
}

TEST(JsonLog, EveryByteAtEveryPlaceOfABlockIsValidJson) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(33, 'a');
      text[place] = static_cast<char>(byte);
      const auto parsed = nlohmann::json::parse("\"" + escaped(text) + "\"", nullptr, false);
      ASSERT_TRUE(parsed.is_string()) << byte << " at " << place;
      if (byte < 0x80) {
        ASSERT_EQ(parsed.get<std::string>(), text);
      }
    }
  }
}

TEST(JsonLog, WritesTimesAsRfc3339Nano) {
  EXPECT_EQ(formatted(1767323045, 123456789), "2026-01-02T03:04:05.123456789Z");
  EXPECT_EQ(formatted(1767323045, 120000000), "2026-01-02T03:04:05.12Z");
  EXPECT_EQ(formatted(1767323045, 0), "2026-01-02T03:04:05Z");
  EXPECT_EQ(formatted(1767323045, 7), "2026-01-02T03:04:05.000000007Z");
}

TEST(JsonLog, WritesEntries) {
  std::string out(kMaxEntry, '\0');
  TimeFormatter formatter;
  char* end = writeEntry(out.data(), "hi\n", Channel::Stderr, timespec{1767323045, 5}, formatter);
  EXPECT_EQ(
      std::string(out.data(), end),
      "{\"log\":\"hi\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05.000000005Z\"}\n");
}

TEST(LineSplitter, CutsAtNewlines) {
  EXPECT_EQ(split({"a\nb\n\nc"}, false), (std::vector<std::string>{"a\n", "b\n", "\n"}));
  EXPECT_EQ(split({"a\nb\n\nc"}, true), (std::vector<std::string>{"a\n", "b\n", "\n", "c"}));
  EXPECT_EQ(split({"he", "llo", "\nx", "\n"}, true), (std::vector<std::string>{"hello\n", "x\n"}));
}

TEST(LineSplitter, CutsLongLinesAfterSixteenKibibytes) {
  const std::string full(kMaxLine, 'x');
  EXPECT_EQ(split({full + "yz\n"}, true), (std::vector<std::string>{full, "yz\n"}));
  EXPECT_EQ(split({full.substr(1), "x", "\n"}, true), (std::vector<std::string>{full, "\n"}));
  const std::string line = full.substr(1) + "\n";
  EXPECT_EQ(split({line}, false), (std::vector<std::string>{line}));
}

TEST(LineSplitter, NeverCutsInsideASequence) {
  const std::string text = std::string(kMaxLine - 1, 'x') + "\xc3\xbc" + "y\n";
  const std::vector<std::string> want{std::string(kMaxLine - 1, 'x'), "\xc3\xbcy\n"};
  EXPECT_EQ(split({text}, true), want);
  std::vector<std::string> bytes;
  for (const char byte : text) {
    bytes.emplace_back(1, byte);
  }
  EXPECT_EQ(split(bytes, true), want);
}

TEST(LineSplitter, StrayBytesAreCutAnywhere) {
  const std::string text(3 * kMaxLine, '\x80');
  std::string joined;
  for (const std::string& line : split({text}, true)) {
    EXPECT_LE(line.size(), kMaxLine);
    joined += line;
  }
  EXPECT_EQ(joined, text);
}

}  // namespace
}  // namespace flotilla::engine::shim
