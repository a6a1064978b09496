#include "engine/jobs/volume_jobs.h"

#include <algorithm>
#include <utility>

#include "common/json/json.h"
#include "common/model/list_filters.h"

namespace flotilla::engine {
namespace {

using nlohmann::ordered_json;  // members in dockerd's order

ordered_json mapOrNull(const std::map<std::string, std::string>& values) {
  return values.empty() ? ordered_json(nullptr) : ordered_json(values);
}

ordered_json documentOf(const Volume& volume) {
  return {{"CreatedAt", volume.created_at},
          {"Driver", volume.driver},
          {"Labels", mapOrNull(volume.labels)},
          {"Mountpoint", volume.mountpoint},
          {"Name", volume.name},
          {"Options", mapOrNull(volume.options)},
          {"Scope", "local"}};
}

std::string dump(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<std::map<std::string, std::string>> readMap(const json::Json& object, const char* member) {
  std::map<std::string, std::string> values;
  const auto found = object.find(member);
  if (found == object.end() || found->is_null()) {
    return values;
  }
  if (!found->is_object()) {
    return Error{ErrorKind::InvalidArgument,
                 std::string("invalid JSON: ") + member + " must be an object"};
  }
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) {
      return Error{ErrorKind::InvalidArgument,
                   std::string("invalid JSON: ") + member + "." + name + " must be a string"};
    }
    values[name] = value.get<std::string>();
  }
  return values;
}

Result<VolumeRequest> decodeRequest(const std::string& body) {
  VolumeRequest request;
  if (body.empty()) {
    return request;
  }
  FLO_TRY_ASSIGN(const auto document, json::parse(body));
  if (!document.is_object()) {
    return Error{ErrorKind::InvalidArgument, "invalid JSON: expected an object"};
  }
  if (const auto cluster = document.find("ClusterVolumeSpec");
      cluster != document.end() && !cluster->is_null()) {
    return Error{ErrorKind::Unavailable,
                 "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                 "join\" to connect this "
                 "node to swarm and try again."};
  }
  FLO_TRY_ASSIGN(request.name, json::stringOr(document, "Name", ""));
  FLO_TRY_ASSIGN(request.driver, json::stringOr(document, "Driver", ""));
  FLO_TRY_ASSIGN(request.labels, readMap(document, "Labels"));
  FLO_TRY_ASSIGN(request.options, readMap(document, "DriverOpts"));
  return request;
}

Result<bool> readDangling(const std::vector<std::string>& values) {
  const auto is = [&](const char* a, const char* b) {
    return std::all_of(values.begin(), values.end(),
                       [&](const auto& value) { return value == a || value == b; });
  };
  if (is("true", "1")) {
    return true;
  }
  if (is("false", "0")) {
    return false;
  }
  std::string list;
  for (const auto& value : values) {
    list += (list.empty() ? "" : " ") + value;
  }
  return Error{ErrorKind::InvalidArgument, "invalid filter 'dangling=[" + list + "]'"};
}

Result<bool> matches(const Volume& volume, const model::ListFilters& filters,
                     const VolumeUsers& users) {
  for (const auto& [name, values] : filters) {
    const auto any = [&values = values](const auto& test) {
      return values.empty() || std::any_of(values.begin(), values.end(), test);
    };
    bool passes = true;
    if (name == "name") {
      passes = any(
          [&](const std::string& value) { return volume.name.find(value) != std::string::npos; });
    } else if (name == "driver") {
      passes = any([&](const std::string& value) { return volume.driver == value; });
    } else if (name == "label") {  // every one of them, as dockerd
      passes = std::all_of(values.begin(), values.end(), [&](const std::string& value) {
        return model::matchesLabel(volume.labels, value);
      });
    } else if (name == "dangling" && !values.empty()) {
      FLO_TRY_ASSIGN(const bool wanted, readDangling(values));
      FLO_TRY_ASSIGN(const auto ids, users(volume.name));
      passes = ids.empty() == wanted;
    }
    if (!passes) {
      return false;
    }
  }
  return true;
}

Result<void> checkFilters(const model::ListFilters& filters) {
  for (const auto& [name, values] : filters) {
    if (name != "name" && name != "driver" && name != "label" && name != "dangling") {
      return Error{ErrorKind::InvalidArgument, "invalid filter '" + name + "'"};
    }
    if (name == "dangling") {
      FLO_TRY(readDangling(values));
    }
  }
  return {};
}

JobResult listVolumes(VolumeStore& volumes, const VolumeUsers& users, const Job& job) {
  auto filters = model::parseListFilters(job.env.get("filters"));
  if (!filters) {
    return std::move(filters).error().context("error reading volume filters");
  }
  FLO_TRY(checkFilters(*filters));
  FLO_TRY_ASSIGN(const auto all, volumes.list());
  auto list = ordered_json::array();
  for (const auto& volume : all) {
    FLO_TRY_ASSIGN(const bool wanted, matches(volume, *filters, users));
    if (wanted) {
      list.push_back(documentOf(volume));
    }
  }
  return JobOutput{dump({{"Volumes", std::move(list)}, {"Warnings", nullptr}}), {}};
}

JobResult createVolume(VolumeStore& volumes, const Job& job) {
  FLO_TRY_ASSIGN(const auto request, decodeRequest(job.body));
  FLO_TRY_ASSIGN(const auto volume, volumes.create(request));
  return JobOutput{dump(documentOf(volume)), {}};
}

std::string nameOf(const Job& job) { return job.args.empty() ? std::string{} : job.args.front(); }

JobResult inspectVolume(VolumeStore& volumes, const Job& job) {
  FLO_TRY_ASSIGN(const auto volume, volumes.get(nameOf(job)));
  return JobOutput{dump(documentOf(volume)), {}};
}

JobResult removeVolume(VolumeStore& volumes, const Job& job) {
  auto removed = volumes.remove(nameOf(job));
  const bool absent = !removed && removed.error().kind() == ErrorKind::NotFound;
  if (!removed && !(absent && job.env.getBool("force"))) {
    return std::move(removed).error();
  }
  return JobOutput{};
}

}  // namespace

void addVolumeJobs(JobEngine& engine, VolumeStore& volumes, VolumeUsers users) {
  engine.handle("volume_list", Lane::Query,
                [&volumes, users = std::move(users)](const JobContextPtr& context) {
                  context->complete(listVolumes(volumes, users, context->job()));
                });
  engine.handle("volume_inspect", Lane::Query, [&volumes](const JobContextPtr& context) {
    context->complete(inspectVolume(volumes, context->job()));
  });
  engine.handle("volume_create", Lane::Work, [&volumes](const JobContextPtr& context) {
    context->complete(createVolume(volumes, context->job()));
  });
  engine.handle("volume_remove", Lane::Work, [&volumes](const JobContextPtr& context) {
    context->complete(removeVolume(volumes, context->job()));
  });
}

}  // namespace flotilla::engine
