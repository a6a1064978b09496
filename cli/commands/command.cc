#include "cli/commands/command.h"

#include <cstdio>

namespace flotilla::cli {

std::string text(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string()
             ? found->get<std::string>()
             : std::string();
}

std::int64_t number(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_number()
             ? found->get<std::int64_t>()
             : 0;
}

Result<std::string> filtersJson(const std::vector<std::string>& filters) {
  if (filters.empty()) {
    return std::string();
  }
  nlohmann::json out = nlohmann::json::object();
  for (const auto& filter : filters) {
    const auto equals = filter.find('=');
    if (equals == std::string::npos) {
      return Error(ErrorKind::InvalidArgument,
                   "invalid argument \"" + filter +
                       "\" for \"-f, --filter\" flag: invalid filter '" + filter +
                       "': must be in the form name=value");
    }
    out[filter.substr(0, equals)].push_back(filter.substr(equals + 1));
  }
  return out.dump();
}

int forEachName(const std::vector<std::string>& names,
                const std::function<Result<void>(const std::string&)>& one) {
  int code = 0;
  for (const auto& name : names) {
    const auto done = one(name);
    if (done) {
      std::printf("%s\n", name.c_str());
    } else {
      std::fflush(stdout);
      printError(done.error().message());
      code = 1;
    }
  }
  return code;
}

void printError(const std::string& message) { std::fprintf(stderr, "%s\n", message.c_str()); }

}  // namespace flotilla::cli
