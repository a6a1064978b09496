#include "engine/jobs/container_filters.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/model/port_spec.h"
#include "engine/images/image_document.h"

namespace flotilla::engine {
namespace {

constexpr std::array<std::string_view, 17> kKnown = {
    "ancestor", "before",  "exited",  "expose", "health", "id",     "isolation", "is-task", "label",
    "name",     "network", "publish", "since",  "status", "volume", "is_task",   "dangling"};
constexpr std::array<std::string_view, 7> kStatus = {"created",  "running", "paused", "restarting",
                                                     "removing", "exited",  "dead"};

Error invalid(const std::string& name, const std::string& value, const std::string& why) {
  return Error{ErrorKind::InvalidArgument, "invalid filter '" + name + "=" + value + "': " + why};
}

constexpr std::size_t kMaxPattern = 1024;
constexpr std::size_t kMaxRepetitions = 1000;  // as Go's expressions

/// What `{n,m}` in it multiply to, at most. The library makes a copy for every repetition.
std::size_t repetitions(const std::string& pattern) {
  std::size_t product = 1;
  std::size_t number = 0;
  for (const char c : pattern) {
    if (c >= '0' && c <= '9') {
      number = std::min(number * 10 + static_cast<std::size_t>(c - '0'), kMaxRepetitions + 1);
    } else {
      if (c == '}' || c == ',') {
        product = std::min(product * std::max<std::size_t>(number, 1), kMaxRepetitions + 1);
      }
      number = 0;
    }
  }
  return product;
}

bool refersToGroup(const std::string& pattern) {
  for (std::size_t at = pattern.find('\\'); at != std::string::npos && at + 1 < pattern.size();
       at = pattern.find('\\', at + 2)) {
    if (pattern[at + 1] >= '1' && pattern[at + 1] <= '9') {
      return true;
    }
  }
  return false;
}

std::shared_ptr<const regex_t> compile(const std::string& pattern) {
  if (repetitions(pattern) > kMaxRepetitions || refersToGroup(pattern)) {
    return nullptr;
  }
  auto compiled = std::make_unique<regex_t>();
  if (::regcomp(compiled.get(), pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    return nullptr;
  }
  return {compiled.release(), [](regex_t* expression) {
            ::regfree(expression);
            delete expression;
          }};
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string portText(const std::string& text) {
  const auto port = model::PortSpec::parse(text);
  return port ? port->text() : text;
}

bool usesVolume(const ContainerRecord& record, const std::string& value) {
  return std::any_of(record.spec->mounts.begin(), record.spec->mounts.end(),
                     [&](const MountPoint& mount) {
                       return mount.name == value || mount.destination == value ||
                              (mount.name.empty() && mount.source == value);
                     });
}

bool publishes(const ContainerRecord& record, const std::string& value) {
  const auto& ports = record.state.endpoint.ports;
  return record.state.attached &&
         std::any_of(ports.begin(), ports.end(), [&](const PortBinding& port) {
           return std::to_string(port.container_port) + "/" + port.protocol == portText(value) ||
                  std::to_string(port.host_port) + "/" + port.protocol == portText(value);
         });
}

Result<int> parseExitCode(const std::string& value) {
  int code = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), code);
  if (failed != std::errc() || end != value.data() + value.size()) {
    return invalid("exited", value, "strconv.Atoi: parsing \"" + value + "\": invalid syntax");
  }
  return code;
}

/// When a container was made; or the time itself, which a cluster's gateway gives to hosts that do
/// not have the container.
Result<std::int64_t> createdAt(ContainerCatalog& catalog, const std::string& value) {
  if (const auto time = parseRfc3339(value)) {  // names have no colons
    return *time;
  }
  FLO_TRY_ASSIGN(const auto container, catalog.get(value));
  return container->created_ns;
}

}  // namespace

TextPattern::TextPattern(std::string text) : text_(std::move(text)), compiled_(compile(text_)) {}

bool TextPattern::matches(const std::string& text) const {
  return text == text_ ||
         (compiled_ && ::regexec(compiled_.get(), text.c_str(), 0, nullptr, 0) == 0);
}

Result<ContainerFilters> ContainerFilters::parse(
    std::string_view text, ContainerCatalog& catalog,
    const std::function<std::string(const std::string&)>& image_id) {
  ContainerFilters parsed;
  FLO_TRY_ASSIGN(parsed.filters_, model::parseListFilters(text));
  for (const auto& [name, values] : parsed.filters_) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return Error{ErrorKind::InvalidArgument, "invalid filter '" + name + "'"};
    }
    for (const std::string& value : values) {
      FLO_TRY(parsed.take(name, value, catalog, image_id));
    }
  }
  return parsed;
}

Result<void> ContainerFilters::take(
    const std::string& name, const std::string& value, ContainerCatalog& catalog,
    const std::function<std::string(const std::string&)>& image_id) {
  if (name == "status") {
    if (std::find(kStatus.begin(), kStatus.end(), value) == kStatus.end()) {
      return invalid(name, value,
                     "invalid value for state (" + value +
                         "): must be one of created, "
                         "running, paused, restarting, removing, exited, dead");
    }
    status_.push_back(statusFromName(value));
  } else if (name == "exited") {
    FLO_TRY_ASSIGN(const int code, parseExitCode(value));
    exited_.push_back(code);
  } else if (name == "ancestor") {
    ancestor_ids_.push_back(image_id(value));
  } else if (name == "before" || name == "since") {
    FLO_TRY_ASSIGN(const std::int64_t time, createdAt(catalog, value));
    (name == "before" ? before_ns_ : since_ns_) = time;
  } else if (name == "name" || name == "id") {
    if (value.size() > kMaxPattern) {
      return invalid(name, value.substr(0, 32) + "...",
                     "longer than " + std::to_string(kMaxPattern) + " characters");
    }
    (name == "name" ? names_ : ids_).emplace_back(value);
  }
  return {};
}

bool ContainerFilters::matches(const ContainerRecord& record) const {
  return std::all_of(filters_.begin(), filters_.end(), [&](const auto& filter) {
    return filter.second.empty() || matchesOne(filter.first, filter.second, record);
  });
}

bool ContainerFilters::matchesOne(const std::string& name, const std::vector<std::string>& values,
                                  const ContainerRecord& record) const {
  const auto any = [&](const auto& test) {
    return std::any_of(values.begin(), values.end(), test);
  };
  if (name == "status") {
    return std::find(status_.begin(), status_.end(), record.state.status) != status_.end();
  }
  if (name == "exited") {
    return record.state.status == ContainerStatus::Exited &&
           std::find(exited_.begin(), exited_.end(), record.state.exit_code) != exited_.end();
  }
  if (name == "before") {
    return record.created_ns < *before_ns_;
  }
  if (name == "since") {
    return record.created_ns > *since_ns_;
  }
  if (name == "ancestor") {
    return contains(ancestor_ids_, record.spec->image_id) || contains(values, record.spec->image);
  }
  if (name == "name") {
    return std::any_of(names_.begin(), names_.end(), [&](const TextPattern& pattern) {
      return pattern.matches(record.name) || pattern.matches("/" + record.name);
    });
  }
  if (name == "id") {
    return std::any_of(ids_.begin(), ids_.end(), [&](const TextPattern& pattern) {
      return record.id.starts_with(pattern.text()) || pattern.matches(record.id);
    });
  }
  if (name == "label") {  // every one of them
    return std::all_of(values.begin(), values.end(), [&](const std::string& v) {
      return model::matchesLabel(record.spec->config.labels, v);
    });
  }
  if (name == "network") {
    return any([&](const std::string& v) {
      return v == record.spec->host.network_mode || v == record.state.endpoint.network_id;
    });
  }
  if (name == "volume") {
    return any([&](const std::string& v) { return usesVolume(record, v); });
  }
  if (name == "publish") {
    return any([&](const std::string& v) { return publishes(record, v); });
  }
  if (name == "expose") {
    return any([&](const std::string& v) {
      return contains(record.spec->config.exposed_ports, portText(v));
    });
  }
  if (name == "health") {
    return contains(values, "none");
  }
  return !contains(values, "true");  // is-task, isolation: there are none of these here
}

}  // namespace flotilla::engine
