#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/job/job.h"

namespace flotilla {

void JobEnv::setList(std::string key, const std::vector<std::string>& values) {
  set(std::move(key),
      nlohmann::json(values).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

bool JobEnv::has(std::string_view key) const { return values_.find(key) != values_.end(); }

std::string JobEnv::get(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string() : found->second;
}

bool JobEnv::getBool(std::string_view key) const {
  std::string value = get(key);
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  std::erase_if(value, is_space);
  return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

Result<std::int64_t> JobEnv::getInt(std::string_view key, std::int64_t fallback) const {
  const std::string value = get(key);
  if (value.empty()) {
    return fallback;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) {
    return Error{ErrorKind::InvalidArgument,
                 "invalid value \"" + value + "\" for " + std::string(key) + ": not a number"};
  }
  return number;
}

std::vector<std::string> JobEnv::getList(std::string_view key) const {
  std::vector<std::string> values;
  const auto found = values_.find(key);
  if (found == values_.end()) {
    return values;
  }
  const auto parsed = nlohmann::json::parse(found->second, nullptr, false);
  if (parsed.is_array()) {
    for (const auto& item : parsed) {
      if (item.is_string()) {
        values.push_back(item.get<std::string>());
      }
    }
  }
  return values;
}

}  // namespace flotilla
