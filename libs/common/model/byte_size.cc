#include "common/model/byte_size.h"

#include <cctype>
#include <charconv>
#include <string>

namespace flotilla::model {

Result<std::int64_t> parseByteSize(std::string_view text) {
  const Error invalid(ErrorKind::InvalidArgument, "invalid size: '" + std::string(text) + "'");
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) {
    return invalid;
  }
  std::string unit;
  for (const char c : text.substr(static_cast<std::size_t>(end - text.data()))) {
    if (c != ' ' || !unit.empty()) {
      unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  constexpr std::string_view kPrefixes = "bkmgtp";
  const std::size_t power = unit.empty() ? 0 : kPrefixes.find(unit[0]);
  const std::string_view rest =
      unit.empty() ? std::string_view{} : std::string_view(unit).substr(1);
  if (power == std::string_view::npos ||
      (!rest.empty() && (power == 0 || (rest != "b" && rest != "ib")))) {
    return invalid;
  }
  for (std::size_t i = 0; i < power; ++i) {
    number *= 1024;
  }
  constexpr double kLimit = 9.0e18;
  if (!(number < kLimit)) {
    return invalid;
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace flotilla::model
