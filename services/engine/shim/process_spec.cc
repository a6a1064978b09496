#include "engine/shim/process_spec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "common/os/atomic_file.h"
#include "engine/shim/program_lookup.h"
#include "engine/shim/user_lookup.h"

namespace flotilla::engine::shim {
namespace {

using nlohmann::json;

constexpr const char* kUserKey = "org.flotilla.user";
constexpr const char* kGroupsKey = "org.flotilla.group_add";

Result<void> writeFile(const std::string& path, const std::vector<std::string_view>& parts) {
  const std::string temporary = path + ".new";
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + temporary, errno);
  }
  for (std::string_view part : parts) {
    while (!part.empty()) {
      const ssize_t wrote = ::write(fd.get(), part.data(), part.size());
      if (wrote < 0 && errno != EINTR) {
        return sysError("write " + temporary, errno);
      }
      part.remove_prefix(wrote > 0 ? static_cast<std::size_t>(wrote) : 0);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return sysError("rename " + temporary, errno);
  }
  return {};
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> stringList(const json& value) {
  std::vector<std::string> out;
  for (const json& entry : value.is_array() ? value : json::array()) {
    if (entry.is_string()) {
      out.push_back(entry.get<std::string>());
    } else if (entry.is_number_integer()) {
      out.push_back(std::to_string(entry.get<std::int64_t>()));
    }
  }
  return out;
}

/// A list given as JSON, or as a string that holds JSON (annotations are strings).
std::vector<std::string> groupList(const json& holder) {
  const auto found = holder.find(kGroupsKey);
  if (found == holder.end()) {
    return {};
  }
  return stringList(found->is_string()
                        ? json::parse(found->get_ref<const std::string&>(), nullptr, false)
                        : *found);
}

std::optional<std::string> userText(const json& holder) {
  const auto found = holder.find(kUserKey);
  return found != holder.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                     : std::nullopt;
}

std::string pathOf(const json& process) {
  const auto env = process.find("env");
  for (const json& entry : env != process.end() && env->is_array() ? *env : json::array()) {
    if (entry.is_string() && entry.get_ref<const std::string&>().starts_with("PATH=")) {
      return entry.get<std::string>().substr(5);
    }
  }
  return {};
}

Result<void> completeUser(const RootFiles& root, json& process, const std::string& user,
                          const std::vector<std::string>& group_add) {
  FLO_TRY_ASSIGN(const ResolvedUser resolved,
                 resolveUser(user, group_add, root.read("/etc/passwd"), root.read("/etc/group")));
  json& target = process["user"];
  if (!target.is_object()) {
    target = json::object();
  }
  target["uid"] = resolved.uid;
  target["gid"] = resolved.gid;
  target["additionalGids"] = resolved.groups;
  return {};
}

std::optional<StartFailure> checkExecCwd(const RootFiles& root, const std::string& cwd) {
  if (!cwd.starts_with('/')) {
    return startFailure(Verb::Exec, "Cwd must be an absolute path");
  }
  if (root.openAt(cwd, O_PATH | O_DIRECTORY)) {
    return std::nullopt;
  }
  const bool missing = errno == ENOENT;
  if (!missing && errno != ENOTDIR) {
    return std::nullopt;
  }
  return startFailure(Verb::Exec, "unable to start container process: chdir to cwd (\"" + cwd +
                                      "\") set in config.json failed: " +
                                      (missing ? "no such file or directory" : "not a directory"));
}

/// The closing quote of the string that opens at `at`.
std::size_t endOfString(std::string_view json_text, std::size_t at) {
  for (std::size_t end = json_text.find('"', at + 1); end != std::string_view::npos;
       end = json_text.find('"', end + 1)) {
    const std::size_t last = json_text.find_last_not_of('\\', end - 1);  // the opening one at least
    if ((end - 1 - last) % 2 == 0) {
      return end;
    }
  }
  return json_text.size();
}

/// Skips the JSON value at `at`; returns the position behind it, npos when there is none.
std::size_t skipValue(std::string_view json_text, std::size_t at) {
  int depth = 0;
  for (; at < json_text.size(); ++at) {
    const char byte = json_text[at];
    if (byte == '"') {
      at = endOfString(json_text, at);
    } else if (byte == '{' || byte == '[') {
      ++depth;
    } else if (byte == '}' || byte == ']') {
      if (depth == 0) {
        return at;
      }
      --depth;
    } else if (byte == ',' && depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::size_t skipSpace(std::string_view json_text, std::size_t at) {
  return std::min(json_text.find_first_not_of(" \t\r\n", at), json_text.size());
}

json parseMember(const std::vector<Member>& members, std::string_view key) {
  for (const Member& member : members) {
    if (member.key == key) {
      return json::parse(member.value.begin(), member.value.end(), nullptr, false);
    }
  }
  return json();
}

/// Mounts that hide parts of the root from the program lookup. The ones every container has hold no
/// programs.
std::vector<std::string> opaqueMounts(const json& mounts) {
  std::vector<std::string> out;
  for (const json& mount : mounts.is_array() ? mounts : json::array()) {
    const std::string at = mount.is_object() ? text(mount, "destination") : std::string();
    const bool usual = at.starts_with("/proc") || at.starts_with("/dev") ||
                       at.starts_with("/sys") || at == "/etc/hosts" || at == "/etc/hostname" ||
                       at == "/etc/resolv.conf";
    if (!at.empty() && !usual) {
      out.push_back(at);
    }
  }
  return out;
}

bool isFileBind(const json& mount) {
  struct stat source {};
  return text(mount, "type") == "bind" && ::stat(text(mount, "source").c_str(), &source) == 0 &&
         !S_ISDIR(source.st_mode);
}

/// crun 1.8 makes a bind recursively read-only ("rro") through a directory handle, which fails for
/// a file; nothing is mounted below a file, so "ro" is the same. True when anything changed.
bool plainReadOnlyFiles(json& mounts) {
  bool changed = false;
  for (json& mount : mounts) {
    if (!mount.is_object() || !mount.contains("options") || !isFileBind(mount)) {
      continue;
    }
    for (json& option : mount["options"]) {
      if (option == "rro") {
        option = "ro";
        changed = true;
      }
    }
  }
  return changed;
}

/// The runtime makes missing mount points itself, but not below a root that it has made read-only.
Result<void> makeMountPoints(const json& mounts, const RootFiles& root) {
  for (const json& mount : mounts) {
    const std::string at = mount.is_object() ? text(mount, "destination") : std::string();
    if (at.empty() || at.starts_with("/proc/") || at.starts_with("/dev/") ||
        at.starts_with("/sys/")) {
      continue;  // below mounts of the runtime's own
    }
    FLO_TRY(isFileBind(mount) ? root.makeFile(at) : root.makeDirectories(at));
  }
  return {};
}

/// `object` in pieces, with new values for some of its `members`.
std::vector<std::string_view> replaceMembers(
    std::string_view object, const std::vector<Member>& members,
    const std::map<std::string_view, std::string>& values) {
  std::vector<std::string_view> pieces;
  std::size_t at = 0;
  for (const Member& member : members) {
    const auto value = values.find(member.key);
    if (value == values.end()) {
      continue;
    }
    const auto offset = static_cast<std::size_t>(member.value.data() - object.data());
    pieces.push_back(object.substr(at, offset - at));
    pieces.push_back(value->second);
    at = offset + member.value.size();
  }
  pieces.push_back(object.substr(at));
  return pieces;
}

StartFailure malformed(const std::string& path) {
  return plainFailure(Error{ErrorKind::Internal, path + " is malformed"});
}

}  // namespace

std::optional<std::vector<Member>> topLevelMembers(std::string_view object) {
  std::vector<Member> members;
  std::size_t at = skipSpace(object, 0);
  if (at >= object.size() || object[at] != '{') {
    return std::nullopt;
  }
  at = skipSpace(object, at + 1);
  while (at < object.size() && object[at] == '"') {
    const std::size_t key_end = object.find('"', at + 1);
    const std::size_t colon =
        key_end == std::string_view::npos ? key_end : skipSpace(object, key_end + 1);
    if (colon >= object.size() || object[colon] != ':') {
      return std::nullopt;
    }
    const std::size_t begin = skipSpace(object, colon + 1);
    const std::size_t end = skipValue(object, begin);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    members.push_back({object.substr(at + 1, key_end - at - 1), object.substr(begin, end - begin)});
    if (object[end] == '}') {
      return members;
    }
    at = skipSpace(object, end + 1);
  }
  return at < object.size() && object[at] == '}' && members.empty() ? std::optional(members)
                                                                    : std::nullopt;
}

std::optional<StartFailure> completeProcess(Verb verb, const RootFiles& root, json& process,
                                            const std::optional<std::string>& user,
                                            const std::vector<std::string>& group_add,
                                            const std::vector<std::string>& opaque,
                                            ProcessPlan& plan) {
  if (user || !group_add.empty()) {
    if (auto completed = completeUser(root, process, user.value_or(""), group_add); !completed) {
      return plainFailure(std::move(completed).error());
    }
  }
  const std::vector<std::string> args = stringList(process.value("args", json::array()));
  plan.program = args.empty() ? std::string() : args.front();
  const ProgramAnswer answer =
      lookUpProgram(root, {plan.program, pathOf(process), text(process, "cwd"), opaque});
  plan.exec_will_fail = answer.exec_will_fail;
  if (answer.cause) {
    return startFailure(verb, verb == Verb::Run
                                  ? "unable to start container process: error during "
                                    "container init: " +
                                        *answer.cause
                                  : "unable to start container process: " + *answer.cause);
  }
  return std::nullopt;
}

std::optional<StartFailure> completeBundle(const std::string& bundle, const RootFiles& root,
                                           ProcessPlan& plan) {
  const std::string path = bundle + "/config.json";
  const auto config = readFile(path);
  if (!config) {
    return plainFailure(config.error());
  }
  const auto members = topLevelMembers(*config);
  json process = members ? parseMember(*members, "process") : json();
  if (!process.is_object()) {
    return malformed(path);
  }
  json annotations = parseMember(*members, "annotations");
  if (!annotations.is_object()) {
    annotations = json::object();
  }
  const std::string before = process.dump();
  const std::string cwd = text(process, "cwd");
  json mounts = parseMember(*members, "mounts");
  if (!mounts.is_array()) {
    mounts = json::array();
  }
  const std::vector<std::string> opaque = opaqueMounts(mounts);
  auto failure = completeProcess(Verb::Run, root, process, userText(annotations),
                                 groupList(annotations), opaque, plan);
  const bool mounted_over = std::any_of(
      opaque.begin(), opaque.end(), [&cwd](const auto& place) { return cwd.starts_with(place); });
  if (!failure && cwd.size() > 1 && !mounted_over) {
    if (auto made = root.makeDirectories(cwd); !made) {
      failure = plainFailure(std::move(made).error());
    }
  }
  const json root_member = parseMember(*members, "root");
  if (!failure && root_member.is_object() && root_member.value("readonly", false)) {
    if (auto made = makeMountPoints(mounts, root); !made) {
      failure = plainFailure(std::move(made).error());
    }
  }
  std::map<std::string_view, std::string> replacements;
  if (std::string after = process.dump(); after != before) {
    replacements["process"] = std::move(after);
  }
  if (plainReadOnlyFiles(mounts)) {
    replacements["mounts"] = mounts.dump();
  }
  if (failure || replacements.empty()) {
    return failure;
  }
  auto written = writeFile(path, replaceMembers(*config, *members, replacements));
  return written ? std::nullopt : std::optional(plainFailure(std::move(written).error()));
}

Result<void> mergeResources(const std::string& bundle, const json& resources) {
  const std::string path = bundle + "/config.json";
  FLO_TRY_ASSIGN(const std::string config, readFile(path));
  const auto members = topLevelMembers(config);
  json platform = members ? parseMember(*members, "linux") : json();
  if (!platform.is_object()) {
    return malformed(path).error;
  }
  platform["resources"].merge_patch(resources);
  return writeFile(path, replaceMembers(config, *members, {{"linux", platform.dump()}}));
}

Result<void> dropAnnotation(const std::string& path, const std::string& name) {
  FLO_TRY_ASSIGN(const std::string config, readFile(path));
  const auto members = topLevelMembers(config);
  json annotations = members ? parseMember(*members, "annotations") : json();
  if (!annotations.is_object() || annotations.erase(name) == 0) {
    return {};
  }
  return writeFile(path, replaceMembers(config, *members, {{"annotations", annotations.dump()}}));
}

std::optional<StartFailure> completeExec(const std::string& path, const RootFiles& root,
                                         std::string& completed, ProcessPlan& plan) {
  const auto file = readFile(path);
  if (!file) {
    return plainFailure(file.error());
  }
  json process = json::parse(*file, nullptr, false);
  if (!process.is_object()) {
    return malformed(path);
  }
  const auto user = userText(process);
  const auto groups = groupList(process);
  process.erase(kUserKey);
  process.erase(kGroupsKey);
  if (auto failure = completeProcess(Verb::Exec, root, process, user, groups, {}, plan)) {
    return failure;
  }
  if (auto failure = checkExecCwd(root, text(process, "cwd"))) {
    return failure;
  }
  completed = process.dump();
  return std::nullopt;
}

}  // namespace flotilla::engine::shim
