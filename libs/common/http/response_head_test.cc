#include "common/http/response_head.h"

#include <gtest/gtest.h>

namespace flotilla::http {
namespace {

/// The head without its Date field.
std::string head(const Response& response, const HeadOptions& options) {
  std::string text;
  appendHead(text, response, options);
  const std::size_t date = text.find("Date: ");
  return text.erase(date, text.find("\r\n", date) + 2 - date);
}

TEST(ResponseHead, SaysHowTheBodyEnds) {
  Response response{.status = 201};
  EXPECT_EQ(head(response, {.content_length = 5}),
            "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(head(response, {.framing = Framing::Chunked}),
            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(head(response, {.framing = Framing::UntilClose, .close = true, .http_1_0 = true}),
            "HTTP/1.0 201 Created\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head(response, {.content_length = 0, .http_1_0 = true}),
            "HTTP/1.0 201 Created\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseHead, OwnsTheFramingFieldsAndLetsNoLineBreakThrough) {
  Response response;
  response.headers.add("Api-Version", "1.51");
  response.headers.add("transfer-ENCODING", "chunked");
  response.headers.add("Connection", "Upgrade");
  response.headers.add("X\r\nY", std::string("a\0\r\nb", 5));
  EXPECT_EQ(head(response, {.content_length = 0}),
            "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nX  Y: a   b\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseHead, ErrorsAreJsonWhateverTheMessage) {
  Response response = errorResponse(400, "bad \"name\" \\ \n\x80");
  EXPECT_EQ(response.body, "{\"message\":\"bad \\\"name\\\" \\\\ \\u000a\\u0080\"}\n");
  EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
}

TEST(ResponseHead, ChunksCarryTheirSizeInHex) {
  std::string out;
  appendChunk(out, std::string(255, 'x'));
  EXPECT_EQ(out, "ff\r\n" + std::string(255, 'x') + "\r\n");
  EXPECT_TRUE(statusHasBody(200));
  for (int status : {101, 204, 304}) {
    EXPECT_FALSE(statusHasBody(status));
  }
}

}  // namespace
}  // namespace flotilla::http
