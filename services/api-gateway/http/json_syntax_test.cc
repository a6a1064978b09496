#include "api-gateway/http/json_syntax.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace flotilla::gateway {
namespace {

std::string message(std::string_view text) {
  const auto result = checkJson(text);
  return result ? "ok" : result.error().message();
}

TEST(JsonSyntax, AcceptsDocuments) {
  for (const char* text :
       {"{}", "[]",
        " {\"a\":[1,-0.5e+3,{\"b\":null}],\"c\":\"\\u00e9\\n\\ud83d\\ude00 \xC3\xA9\"} \n", "5",
        "\"s\"", "true", "null"}) {
    EXPECT_EQ(message(text), "ok") << text;
  }
  EXPECT_EQ(*checkJson("null"), JsonType::Null);
  EXPECT_EQ(*checkJson(" [1]"), JsonType::Array);
  EXPECT_EQ(*checkJson("{\"a\":[]}"), JsonType::Object);
}

// Recorded from dockerd 28.5.2, POST /containers/create.
TEST(JsonSyntax, WordsErrorsAsDockerd) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{bad", "invalid JSON: invalid character 'b' looking for beginning of object key string"},
      {"", "invalid JSON: got EOF while reading request body"},
      {" ", "invalid JSON: got EOF while reading request body"},
      {"{} {}", "unexpected content after JSON"},
      {"{\"a\":1} x", "unexpected content after JSON"},
      {"{", "invalid JSON: unexpected EOF"},
      {"[1,", "invalid JSON: unexpected EOF"},
      {"{\"a\":tru", "invalid JSON: unexpected EOF"},
      {"\"abc", "invalid JSON: unexpected EOF"},
      {"nul", "invalid JSON: unexpected EOF"},
      {"{\"Image\":\"x\"", "invalid JSON: unexpected EOF"},
      {"{\"a\":1,}",
       "invalid JSON: invalid character '}' looking for beginning of object key string"},
      {"{,}", "invalid JSON: invalid character ',' looking for beginning of object key string"},
      {"x", "invalid JSON: invalid character 'x' looking for beginning of value"},
      {"{\"a\" 1}", "invalid JSON: invalid character '1' after object key"},
      {"{\"a\":1 \"b\"}", "invalid JSON: invalid character '\"' after object key:value pair"},
      {"{\"a\":01}", "invalid JSON: invalid character '1' after object key:value pair"},
      {"[1 2]", "invalid JSON: invalid character '2' after array element"},
      {"{\"a\":-}", "invalid JSON: invalid character '}' in numeric literal"},
      {"{\"a\":1.}", "invalid JSON: invalid character '}' in numeric literal"},
      {"{\"a\":1e}", "invalid JSON: invalid character '}' in numeric literal"},
      {"{\"a\":tru}", "invalid JSON: invalid character '}' in literal true (expecting 'e')"},
      {"{\"a\":\"\x01\"}", "invalid JSON: invalid character '\\x01' in string"},
      {"{\"a\":\"\\q\"}", "invalid JSON: invalid escape sequence `\\q` in string"},
      {"{\"a\":\"\\u12\"}", "invalid JSON: invalid escape sequence `\\u12\"}` in string"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(message(text), expected) << text;
  }
}

TEST(JsonSyntax, RefusesWhatAParserBehindWouldRefuse) {
  EXPECT_EQ(message("\"\xFF\""), "invalid JSON: invalid UTF-8 in string");
  EXPECT_EQ(message("\"\xED\xA0\x80\""), "invalid JSON: invalid UTF-8 in string");
  EXPECT_EQ(message("\"\\ud800\""), "invalid JSON: invalid escape sequence `\\ud800\"` in string");
  EXPECT_EQ(message("\"\\udc00\""), "invalid JSON: invalid escape sequence `\\udc00` in string");
  EXPECT_EQ(message(std::string(100000, '[')), "invalid JSON: exceeded max depth");
  EXPECT_EQ(message(std::string("{\"a\0b\":1}", 9)),
            "invalid JSON: invalid character '\\x00' in string");
}

TEST(JsonSyntax, NamesTheTypeThatWasExpected) {
  EXPECT_EQ(
      wrongJsonType(JsonType::Array, "container.CreateRequest").message(),
      "invalid JSON: json: cannot unmarshal array into Go value of type container.CreateRequest");
}

}  // namespace
}  // namespace flotilla::gateway
