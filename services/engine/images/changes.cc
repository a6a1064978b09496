#include "engine/images/changes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/json/json.h"

namespace flotilla::engine {
namespace {

using json::Json;

Error invalidChange(std::string message) {
  return Error{ErrorKind::InvalidArgument, std::move(message)};
}

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && isSpace(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && isSpace(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

/// Words separated by blanks; quotes and backslashes keep blanks inside a word. With `unquote` the
/// quotes themselves go, as after variable expansion in a Dockerfile.
enum class Quotes { Keep, Remove };
std::vector<std::string> words(std::string_view text, Quotes quotes) {
  std::vector<std::string> out;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && isSpace(c)) {
      if (in_word) {
        out.push_back(std::exchange(word, std::string()));
      }
      in_word = false;
      continue;
    }
    in_word = true;
    const bool keep = quotes == Quotes::Keep;
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      if (keep) {
        word += c;
      }
      word += text[++i];
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      word += keep ? std::string(1, c) : std::string();
    } else if (quote != 0 && c == quote) {
      quote = 0;
      word += keep ? std::string(1, c) : std::string();
    } else {
      word += c;
    }
  }
  if (in_word) {
    out.push_back(std::move(word));
  }
  return out;
}

std::string unquoted(std::string_view text) {
  std::string out;
  for (const std::string& word : words(text, Quotes::Remove)) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

/// A JSON array of strings, when the arguments are one.
std::optional<std::vector<std::string>> execForm(std::string_view text) {
  const auto parsed = json::parse(text);
  if (!parsed || !parsed->is_array()) {
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (const Json& item : *parsed) {
    if (!item.is_string()) {
      return std::nullopt;
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<std::string> commandLine(const Json& config, std::string_view text) {
  if (auto exec = execForm(text)) {
    return std::move(*exec);
  }
  std::vector<std::string> shell = {"/bin/sh", "-c"};
  if (const auto own = config.find("Shell");
      own != config.end() && own->is_array() && !own->empty()) {
    shell.clear();
    for (const Json& word : *own) {
      shell.push_back(word.is_string() ? word.get<std::string>() : std::string());
    }
  }
  shell.emplace_back(text);
  return shell;
}

/// "a=b c=d", or the older "a b" where everything after the first word is the value.
Result<std::vector<std::pair<std::string, std::string>>> pairs(const std::string& instruction,
                                                               std::string_view text) {
  const auto list = words(text, Quotes::Keep);
  if (list.empty()) {
    return invalidChange(instruction + " requires at least one argument");
  }
  std::vector<std::pair<std::string, std::string>> out;
  if (list.front().find('=') == std::string::npos) {
    const std::string_view rest = trimmed(text.substr(list.front().size()));
    if (rest.empty()) {
      return invalidChange(instruction + " must have two arguments");
    }
    out.emplace_back(unquoted(list.front()), rest);
    return out;
  }
  for (const std::string& word : list) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return invalidChange("Syntax error - can't find = in \"" + word +
                           "\". Must be of the form: name=value");
    }
    if (equals == 0) {
      return invalidChange(instruction + " names can not be blank");
    }
    out.emplace_back(unquoted(word.substr(0, equals)), unquoted(word.substr(equals + 1)));
  }
  return out;
}

void setEnvironment(Json& config, const std::string& name, const std::string& value) {
  Json& list = config["Env"];
  if (!list.is_array()) {
    list = Json::array();
  }
  const std::string prefix = name + "=";
  for (Json& item : list) {
    if (item.is_string() && item.get_ref<const std::string&>().starts_with(prefix)) {
      item = prefix + value;
      return;
    }
  }
  list.push_back(prefix + value);
}

Json& objectAt(Json& config, const char* key) {
  Json& object = config[key];
  if (!object.is_object()) {
    object = Json::object();
  }
  return object;
}

std::optional<int> portNumber(std::string_view text) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 65535
             ? std::optional(value)
             : std::nullopt;
}

Result<void> expose(Json& config, const std::string& word) {
  const std::size_t slash = word.find('/');
  const std::string range = word.substr(0, slash);
  const std::string protocol = slash == std::string::npos ? "tcp" : word.substr(slash + 1);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return invalidChange("Invalid proto: " + protocol);
  }
  const std::size_t dash = range.find('-');
  const auto first = portNumber(range.substr(0, dash));
  const auto last = dash == std::string::npos ? first : portNumber(range.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return invalidChange("Invalid containerPort: " + range);
  }
  for (int port = *first; port <= *last; ++port) {
    objectAt(config, "ExposedPorts")[std::to_string(port) + "/" + protocol] = Json::object();
  }
  return {};
}

bool isSignal(const std::string& text) {
  if (const auto number = portNumber(text)) {
    return *number > 0 && *number <= SIGRTMAX;
  }
  const std::string name = upper(text);
  const std::string bare = name.starts_with("SIG") ? name.substr(3) : name;
  if (bare.starts_with("RTMIN") || bare.starts_with("RTMAX")) {
    return true;
  }
  for (int number = 1; number < 32; ++number) {
    const char* abbreviation = ::sigabbrev_np(number);
    if (abbreviation != nullptr && bare == abbreviation) {
      return true;
    }
  }
  return false;
}

/// "1h30m", "5s" in nanoseconds.
std::optional<std::int64_t> duration(std::string_view text) {
  static const std::map<std::string_view, double> kUnits = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                                            {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    double value = 0;
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (code != std::errc{}) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::size_t length = std::min(text.find_first_of("0123456789.-"), text.size());
    const auto unit = kUnits.find(text.substr(0, length));
    if (unit == kUnits.end()) {
      return std::nullopt;
    }
    total += value * unit->second;
    text.remove_prefix(length);
  }
  return static_cast<std::int64_t>(total);
}

/// Takes "--name=value" off the front of a HEALTHCHECK into the JSON of its options.
Result<void> healthOption(const std::string& flag, Json& health) {
  static const std::map<std::string, const char*> kDurations = {
      {"--interval", "Interval"},
      {"--timeout", "Timeout"},
      {"--start-period", "StartPeriod"},
      {"--start-interval", "StartInterval"}};
  const std::size_t equals = flag.find('=');
  const std::string name = flag.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : flag.substr(equals + 1);
  if (name == "--retries") {
    const auto count = portNumber(value);
    if (!count || *count < 0) {
      return invalidChange("invalid --retries \"" + value + "\"");
    }
    if (*count > 0) {
      health["Retries"] = *count;
    }
    return {};
  }
  const auto known = kDurations.find(name);
  if (known == kDurations.end()) {
    return invalidChange("unknown flag: " + name);
  }
  const auto time = duration(value);
  if (!time || (*time != 0 && *time < 1'000'000)) {
    return invalidChange(time ? "Interval \"" + name.substr(2) + "\" cannot be less than 1ms"
                              : "time: invalid duration \"" + value + "\"");
  }
  if (*time != 0) {
    health[known->second] = *time;
  }
  return {};
}

Result<void> healthcheck(Json& config, std::string_view text) {
  Json health = Json::object();
  while (text.starts_with("--")) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    FLO_TRY(healthOption(std::string(text.substr(0, end)), health));
    text = trimmed(text.substr(end));
  }
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string type = upper(text.substr(0, end));
  const std::string_view rest = trimmed(text.substr(end));
  if (type.empty()) {
    return invalidChange("HEALTHCHECK requires at least one argument");
  }
  if (type == "NONE") {
    if (!rest.empty()) {
      return invalidChange("HEALTHCHECK NONE takes no arguments");
    }
    health = Json{{"Test", Json::array({"NONE"})}};
  } else if (type == "CMD") {
    if (rest.empty()) {
      return invalidChange("Missing command after HEALTHCHECK CMD");
    }
    Json test = Json::array();
    if (const auto exec = execForm(rest)) {
      test.push_back("CMD");
      for (const std::string& word : *exec) {
        test.push_back(word);
      }
    } else {
      test = Json::array({"CMD-SHELL", std::string(rest)});
    }
    health["Test"] = std::move(test);
  } else {
    return invalidChange("Unknown type \"" + type + "\" in HEALTHCHECK (try CMD)");
  }
  config["Healthcheck"] = std::move(health);
  return {};
}

Result<void> onBuild(Json& config, std::string_view text) {
  const std::string trigger = upper(text.substr(0, text.find_first_of(" \t")));
  if (trigger.empty()) {
    return invalidChange("ONBUILD requires at least one argument");
  }
  if (trigger == "ONBUILD") {
    return invalidChange("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (trigger == "MAINTAINER" || trigger == "FROM") {
    return invalidChange(trigger + " isn't allowed as an ONBUILD trigger");
  }
  Json& list = config["OnBuild"];
  if (!list.is_array()) {
    list = Json::array();
  }
  list.push_back(std::string(text));
  return {};
}

Result<std::string> singleArgument(const std::string& instruction, std::string_view text) {
  const std::string value = unquoted(text);
  if (value.empty() || (instruction == "STOPSIGNAL" && words(text, Quotes::Keep).size() != 1)) {
    return invalidChange(instruction + " requires exactly one argument");
  }
  return value;
}

Result<void> workdir(Json& config, std::string_view text) {
  FLO_TRY_ASSIGN(const std::string path, singleArgument("WORKDIR", text));
  std::filesystem::path base("/");
  if (const auto old = config.find("WorkingDir"); old != config.end() && old->is_string()) {
    base /= old->get<std::string>();
  }
  std::string whole = (base / path).lexically_normal().string();
  if (whole.size() > 1 && whole.ends_with('/')) {
    whole.pop_back();
  }
  config["WorkingDir"] = whole;
  return {};
}

Result<void> volume(Json& config, std::string_view text) {
  const auto list = execForm(text).value_or(words(text, Quotes::Remove));
  if (list.empty()) {
    return invalidChange("VOLUME requires at least one argument");
  }
  for (const std::string& path : list) {
    if (trimmed(path).empty()) {
      return invalidChange("VOLUME specified can not be an empty string");
    }
    objectAt(config, "Volumes")[path] = Json::object();
  }
  return {};
}

Result<void> applyNamed(Json& config, const std::string& instruction, std::string_view arguments) {
  if (instruction == "CMD" || instruction == "ENTRYPOINT") {
    config[instruction == "CMD" ? "Cmd" : "Entrypoint"] = commandLine(config, arguments);
    return {};
  }
  if (instruction == "ENV" || instruction == "LABEL") {
    FLO_TRY_ASSIGN(const auto list, pairs(instruction, arguments));
    for (const auto& [name, value] : list) {
      if (instruction == "ENV") {
        setEnvironment(config, name, value);
      } else {
        objectAt(config, "Labels")[name] = value;
      }
    }
    return {};
  }
  if (instruction == "EXPOSE") {
    const auto ports = words(arguments, Quotes::Remove);
    for (const std::string& port : ports) {
      FLO_TRY(expose(config, port));
    }
    return ports.empty() ? Result<void>(invalidChange("EXPOSE requires at least one argument"))
                         : Result<void>{};
  }
  if (instruction == "USER" || instruction == "STOPSIGNAL") {
    FLO_TRY_ASSIGN(const std::string value, singleArgument(instruction, arguments));
    if (instruction == "STOPSIGNAL" && !isSignal(value)) {
      return invalidChange("invalid signal: " + value);
    }
    config[instruction == "USER" ? "User" : "StopSignal"] = value;
    return {};
  }
  if (instruction == "HEALTHCHECK") {
    return healthcheck(config, arguments);
  }
  if (instruction == "ONBUILD") {
    return onBuild(config, arguments);
  }
  if (instruction == "WORKDIR") {
    return workdir(config, arguments);
  }
  if (instruction == "VOLUME") {
    return volume(config, arguments);
  }
  return invalidChange(instruction + " is not a valid change command");
}

}  // namespace

Result<void> applyChanges(Json& config, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::string_view line = trimmed(change);
    if (line.empty()) {
      continue;
    }
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    FLO_TRY(applyNamed(config, upper(line.substr(0, end)), trimmed(line.substr(end))));
  }
  return {};
}

}  // namespace flotilla::engine
