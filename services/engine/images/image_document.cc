#include "engine/images/image_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "common/json/json.h"
#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

using json::Json;

std::string text(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> out;
  const auto it = object.find(key);
  if (it != object.end() && it->is_array()) {
    for (const Json& item : *it) {
      if (item.is_string()) {
        out.push_back(item.get<std::string>());
      }
    }
  }
  return out;
}

std::vector<std::string> keys(const Json& object, const char* key) {
  std::vector<std::string> out;
  const auto it = object.find(key);
  if (it != object.end() && it->is_object()) {
    for (const auto& [name, ignored] : it->items()) {
      out.push_back(name);
    }
  }
  return out;
}

Json objectMember(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_object() ? *it : Json::object();
}

Result<std::vector<std::string>> diffIds(const Json& document) {
  const auto rootfs = document.find("rootfs");
  if (rootfs == document.end() || !rootfs->is_object()) {
    return Error{ErrorKind::InvalidArgument, "invalid image JSON, no RootFS key"};
  }
  std::vector<std::string> ids = texts(*rootfs, "diff_ids");
  for (const std::string& id : ids) {
    if (!isSha256Digest(id)) {
      return Error{ErrorKind::InvalidArgument, "invalid checksum digest format"};
    }
  }
  return ids;
}

std::vector<HistoryEntry> historyOf(const Json& document) {
  std::vector<HistoryEntry> history;
  const auto list = document.find("history");
  if (list == document.end() || !list->is_array()) {
    return history;
  }
  for (const Json& item : *list) {
    if (!item.is_object()) {
      continue;
    }
    HistoryEntry entry;
    entry.created_ns = parseRfc3339(text(item, "created"));
    entry.created_by = text(item, "created_by");
    entry.comment = text(item, "comment");
    const auto empty = item.find("empty_layer");
    entry.empty_layer = empty != item.end() && empty->is_boolean() && empty->get<bool>();
    history.push_back(std::move(entry));
  }
  return history;
}

/// Two or more digits at `at`; -1 when they are not digits.
int number(std::string_view from, std::size_t at, std::size_t length) {
  int value = -1;
  if (at + length > from.size()) {
    return -1;
  }
  const auto [end, code] = std::from_chars(from.data() + at, from.data() + at + length, value);
  return code == std::errc{} && end == from.data() + at + length ? value : -1;
}

std::int64_t fraction(std::string_view& rest) {
  if (!rest.starts_with('.')) {
    return 0;
  }
  std::int64_t value = 0;
  std::int64_t unit = 100'000'000;
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; ++i, unit /= 10) {
    value += (rest[i] - '0') * unit;
  }
  rest.remove_prefix(i);
  return value;
}

}  // namespace

std::optional<std::int64_t> parseRfc3339(std::string_view from) {
  if (from.size() < 20 || from[4] != '-' || from[7] != '-' ||
      (from[10] != 'T' && from[10] != 't') || from[13] != ':' || from[16] != ':') {
    return std::nullopt;
  }
  const std::array<int, 6> part = {number(from, 0, 4),  number(from, 5, 2),  number(from, 8, 2),
                                   number(from, 11, 2), number(from, 14, 2), number(from, 17, 2)};
  if (std::any_of(part.begin(), part.end(), [](int value) { return value < 0; }) || part[1] < 1 ||
      part[1] > 12) {
    return std::nullopt;
  }
  std::tm when{};
  when.tm_year = part[0] - 1900;
  when.tm_mon = part[1] - 1;
  when.tm_mday = part[2];
  when.tm_hour = part[3];
  when.tm_min = part[4];
  when.tm_sec = part[5];
  std::int64_t seconds = ::timegm(&when);
  std::string_view rest = from.substr(19);
  const std::int64_t nanoseconds = fraction(rest);
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-')) {
    const int hours = number(rest, 1, 2);
    const int minutes = number(rest, 4, 2);
    if (hours < 0 || minutes < 0) {
      return std::nullopt;
    }
    seconds += (rest[0] == '+' ? -1 : 1) * (hours * 3600 + minutes * 60);
  } else if (rest != "Z" && rest != "z") {
    return std::nullopt;
  }
  constexpr std::int64_t kMaxSeconds = 9'223'372'036;
  if (seconds > kMaxSeconds || seconds < -kMaxSeconds) {
    return std::nullopt;  // not a time that 64 bits of nanoseconds hold
  }
  return seconds * 1'000'000'000 + nanoseconds;
}

Result<ImageDocument> ImageDocument::parse(std::string_view source) {
  FLO_TRY_ASSIGN(const Json document, json::parse(source));
  if (!document.is_object()) {
    return Error{ErrorKind::InvalidArgument, "invalid image JSON: not an object"};
  }
  ImageDocument image;
  FLO_TRY_ASSIGN(image.diff_ids, diffIds(document));
  image.id = "sha256:" + sha256Hex(source);
  image.architecture = text(document, "architecture");
  image.variant = text(document, "variant");
  image.os = text(document, "os");
  image.os_version = text(document, "os.version");
  image.author = text(document, "author");
  image.comment = text(document, "comment");
  image.docker_version = text(document, "docker_version");
  image.container = text(document, "container");
  image.created_text = text(document, "created");
  image.created_ns = parseRfc3339(image.created_text);
  image.history = historyOf(document);
  image.config = objectMember(document, "config");
  image.container_config = objectMember(document, "container_config");
  return image;
}

ImageConfig ImageDocument::containerDefaults() const {
  ImageConfig out;
  out.env = texts(config, "Env");
  out.cmd = texts(config, "Cmd");
  out.entrypoint = texts(config, "Entrypoint");
  out.shell = texts(config, "Shell");
  out.on_build = texts(config, "OnBuild");
  out.user = text(config, "User");
  out.working_dir = text(config, "WorkingDir");
  out.stop_signal = text(config, "StopSignal");
  out.exposed_ports = keys(config, "ExposedPorts");
  out.volumes = keys(config, "Volumes");
  const Json labels = objectMember(config, "Labels");
  for (const auto& [key, value] : labels.items()) {
    if (value.is_string()) {
      out.labels[key] = value.get<std::string>();
    }
  }
  const auto health = config.find("Healthcheck");
  if (health != config.end() && health->is_object()) {
    out.healthcheck_json = json::dump(*health);
  }
  return out;
}

std::vector<std::string> ImageDocument::chainIds() const { return chainIdsOf(diff_ids); }

std::vector<std::string> chainIdsOf(const std::vector<std::string>& diff_ids) {
  std::vector<std::string> chain;
  for (const std::string& diff : diff_ids) {
    chain.push_back(chain.empty() ? diff : "sha256:" + sha256Hex(chain.back() + " " + diff));
  }
  return chain;
}

}  // namespace flotilla::engine
