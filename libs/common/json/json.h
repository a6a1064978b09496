#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/error/result.h"

/// Checked JSON: nothing here throws. Parsing is bounded by the caller's limit on the text and here
/// on nesting (a hostile body must not overflow the stack).
namespace flotilla::json {

using Json = nlohmann::json;

inline constexpr int kMaxDepth = 64;

/// Errors: InvalidArgument saying what is wrong and where.
Result<Json> parse(std::string_view text);

/// One line, without exceptions: bytes that are not UTF-8 become U+FFFD, as Go's encoder does.
std::string dump(const Json& value);

/// Text as a JSON string literal, quotes included.
std::string quote(std::string_view text);
void appendQuoted(std::string& out, std::string_view text);

/// Member readers that tolerate absence and null (-> fallback) but not another type.
/// Errors: InvalidArgument naming the member and what was expected.
Result<std::string> stringOr(const Json& object, std::string_view key, std::string fallback);
Result<std::int64_t> integerOr(const Json& object, std::string_view key, std::int64_t fallback);
Result<bool> boolOr(const Json& object, std::string_view key, bool fallback);

}  // namespace flotilla::json
