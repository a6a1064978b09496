#include "engine/jobs/container_view.h"

#include <algorithm>
#include <utility>

#include "common/os/rfc3339.h"
#include "engine/jobs/config_view.h"

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxCached = 20'000;

void writeState(JsonWriter& out, const ContainerState& state) {
  out.beginObject()
      .member("Status", statusName(state.status))
      .member("Running", state.running())
      .member("Paused", state.status == ContainerStatus::Paused)
      .member("Restarting", state.status == ContainerStatus::Restarting)
      .member("OOMKilled", state.oom_killed)
      .member("Dead", state.status == ContainerStatus::Dead)
      .member("Pid", state.pid)
      .member("ExitCode", state.exit_code)
      .member("Error", state.error)
      .member("StartedAt", timeText(state.started_ns))
      .member("FinishedAt", timeText(state.finished_ns))
      .endObject();
}

void writeListPorts(JsonWriter& out, const ContainerRecord& record) {
  out.beginArray();
  if (record.state.attached && record.state.running()) {
    for (const auto& exposed : record.spec->config.exposed_ports) {
      const auto slash = exposed.find('/');
      const auto published = [&](const PortBinding& port) {
        return std::to_string(port.container_port) + "/" + port.protocol == exposed;
      };
      const auto& ports = record.state.endpoint.ports;
      if (std::none_of(ports.begin(), ports.end(), published)) {
        out.beginObject().key("PrivatePort").raw(exposed.substr(0, slash));
        out.member("Type", slash == std::string::npos ? "tcp" : exposed.substr(slash + 1))
            .endObject();
      }
    }
    for (const PortBinding& port : record.state.endpoint.ports) {
      out.beginObject()
          .member("IP", port.host_ip)
          .member("PrivatePort", static_cast<int>(port.container_port))
          .member("PublicPort", static_cast<int>(port.host_port))
          .member("Type", port.protocol)
          .endObject();
    }
  }
  out.endArray();
}

std::string sizes(const DiskUse& size) {
  std::string text;
  if (size.writable != 0) {
    text += ",\"SizeRw\":" + std::to_string(size.writable);
  }
  return text + ",\"SizeRootFs\":" + std::to_string(size.root);
}

}  // namespace

std::string commandText(const ContainerSpec& spec) {
  std::string text = spec.path;
  for (const std::string& argument : spec.args) {
    const bool quoted = argument.find(' ') != std::string::npos;
    text += quoted ? " '" + argument + "'" : " " + argument;
  }
  return text;
}

std::string timeText(std::int64_t nanoseconds) {
  return nanoseconds == 0 ? "0001-01-01T00:00:00Z" : rfc3339(nanoseconds);
}

std::string humanDuration(std::int64_t nanoseconds) {
  const std::int64_t seconds = nanoseconds / kSecond;
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = (seconds + 1800) / 3600;  // rounded
  constexpr std::int64_t kDay = 24;
  if (seconds < 1) {
    return "Less than a second";
  }
  if (seconds == 1) {
    return "1 second";
  }
  if (seconds < 60) {
    return std::to_string(seconds) + " seconds";
  }
  if (minutes == 1) {
    return "About a minute";
  }
  if (minutes < 60) {
    return std::to_string(minutes) + " minutes";
  }
  if (hours == 1) {
    return "About an hour";
  }
  if (hours < 2 * kDay) {
    return std::to_string(hours) + " hours";
  }
  if (hours < 14 * kDay) {
    return std::to_string(hours / kDay) + " days";
  }
  if (hours < 60 * kDay) {
    return std::to_string(hours / kDay / 7) + " weeks";
  }
  if (hours < 730 * kDay) {
    return std::to_string(hours / kDay / 30) + " months";
  }
  return std::to_string(seconds / 3600 / kDay / 365) + " years";
}

std::string statusText(const ContainerState& state, std::int64_t now_ns) {
  const auto ago = [&](std::int64_t then) { return humanDuration(now_ns - then) + " ago"; };
  const std::string code = "(" + std::to_string(state.exit_code) + ") ";
  switch (state.status) {
    case ContainerStatus::Running:
      return "Up " + humanDuration(now_ns - state.started_ns);
    case ContainerStatus::Paused:
      return "Up " + humanDuration(now_ns - state.started_ns) + " (Paused)";
    case ContainerStatus::Restarting:
      return "Restarting " + code + ago(state.finished_ns);
    case ContainerStatus::Removing:
      return "Removal In Progress";
    case ContainerStatus::Dead:
      return "Dead";
    case ContainerStatus::Created:
      return "Created";
    case ContainerStatus::Exited:
      return state.finished_ns == 0 ? "Created" : "Exited " + code + ago(state.finished_ns);
  }
  return "";
}

template <class Document>
template <class Render>
std::shared_ptr<const Document> ContainerView::Cache<Document>::get(const ContainerRecord& record,
                                                                    Render render) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = entries_.find(record.id);
    if (known != entries_.end() && known->second.revision == record.revision) {
      return known->second.document;
    }
  }
  auto fresh = std::make_shared<const Document>(render(record));
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMaxCached) {
    entries_.clear();  // of containers long gone, most of it
  }
  entries_[record.id] = {record.revision, fresh};
  return fresh;
}

ContainerView::Inspection ContainerView::renderInspection(const ContainerRecord& record) const {
  Inspection into;
  const ContainerSpec& spec = *record.spec;
  const bool ran = record.state.started_ns != 0;
  const std::string base = paths_.container(record.id);
  JsonWriter out;
  out.beginObject()
      .member("Id", record.id)
      .member("Created", timeText(record.created_ns))
      .member("Path", spec.path)
      .member("Args", spec.args)
      .key("State");
  writeState(out, record.state);
  out.member("Image", spec.image_id)
      .member("ResolvConfPath", ran ? base + "/resolv.conf" : "")
      .member("HostnamePath", ran ? base + "/hostname" : "")
      .member("HostsPath", ran ? base + "/hosts" : "")
      .member("LogPath", ran && spec.host.log_driver != "none" ? paths_.log(record.id) : "")
      .member("Name", "/" + record.name)
      .member("RestartCount", record.state.restart_count)
      .member("Driver", "overlay2")
      .member("Platform", "linux")
      .member("MountLabel", "")
      .member("ProcessLabel", "")
      .member("AppArmorProfile", "")
      .key("ExecIDs");
  into.head = out.take();
  JsonWriter tail;
  tail.beginObject().key("HostConfig");  // its opening brace is dropped below
  writeHostConfig(tail, spec);
  std::string lower;
  if (const auto links = images_.lowerDirs(spec.chain_ids); links) {
    for (const std::string& link : *links) {
      lower += (lower.empty() ? "" : ":") + images_.linkDir() + "/" + link;
    }
  }
  tail.key("GraphDriver").beginObject().key("Data").beginObject();
  tail.member("ID", record.id)
      .member("LowerDir", lower)
      .member("MergedDir", base + "/rootfs")
      .member("UpperDir", base + "/upper")
      .member("WorkDir", base + "/work")
      .endObject();
  tail.member("Name", "overlay2").endObject();
  into.tail = "," + tail.take().substr(1);
  JsonWriter last;
  last.beginObject().key("Mounts");
  writeMounts(last, spec, MountDetail::Inspect);
  last.key("Config");
  writeConfig(last, spec);
  last.key("NetworkSettings");
  writeNetworkSettings(last, record);
  last.endObject();
  into.last = "," + last.take().substr(1);
  return into;
}

ContainerView::Summary ContainerView::renderSummary(const ContainerRecord& record) {
  Summary into;
  const ContainerSpec& spec = *record.spec;
  JsonWriter head;
  head.beginObject().member("Id", record.id);
  head.key("Names").beginArray().value("/" + record.name).endArray();
  head.member("Image", spec.image)
      .member("ImageID", spec.image_id)
      .member("Command", commandText(spec))
      .member("Created", record.created_ns / kSecond)
      .key("Ports");
  writeListPorts(head, record);
  into.head = head.take();
  JsonWriter middle;
  middle.beginObject()
      .mapMember("Labels", spec.config.labels)
      .member("State", statusName(record.state.status));
  into.middle = "," + middle.take().substr(1) + ",\"Status\":\"";
  JsonWriter tail;
  tail.beginObject().key("HostConfig").beginObject().member("NetworkMode", spec.host.network_mode);
  if (!spec.host.annotations.empty()) {
    tail.mapMember("Annotations", spec.host.annotations);
  }
  tail.endObject();
  tail.key("NetworkSettings").beginObject().key("Networks");
  writeNetworks(tail, record);
  tail.endObject().key("Mounts");
  writeMounts(tail, spec, MountDetail::List);
  tail.endObject();
  into.tail = "\"," + tail.take().substr(1);
  return into;
}

std::string ContainerView::inspect(const ContainerRecord& record,
                                   const std::vector<std::string>& exec_ids,
                                   const std::optional<DiskUse>& size) {
  const auto parts = inspections_.get(
      record, [this](const ContainerRecord& changed) { return renderInspection(changed); });
  JsonWriter ids;
  exec_ids.empty() ? ids.null() : ids.value(exec_ids);
  std::string out;
  out.reserve(parts->head.size() + parts->tail.size() + parts->last.size() + 256);
  out += parts->head;
  out += ids.text();
  out += parts->tail;
  if (size) {
    out += ",\"SizeRw\":" + std::to_string(size->writable) +
           ",\"SizeRootFs\":" + std::to_string(size->root);
  }
  out += parts->last;
  return out;
}

void ContainerView::appendSummary(std::string& out, const ContainerRecord& record,
                                  std::int64_t now_ns, const std::optional<DiskUse>& size) {
  const auto parts = summaries_.get(record, &ContainerView::renderSummary);
  out += parts->head;
  if (size) {
    out += sizes(*size);
  }
  out += parts->middle;
  out += statusText(record.state, now_ns);
  out += parts->tail;
}

}  // namespace flotilla::engine
