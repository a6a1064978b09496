#include "engine/shim/user_lookup.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace flotilla::engine::shim {
namespace {

constexpr std::int64_t kMaxId = 2147483647;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

struct PasswdEntry {
  std::string_view name;
  std::uint32_t uid;
  std::uint32_t gid;
};

struct GroupEntry {
  std::string_view name;
  std::uint32_t gid;
  std::string_view members;
};

bool validId(const std::optional<std::int64_t>& id) { return id && *id >= 0 && *id <= kMaxId; }

template <class Match>
std::optional<PasswdEntry> findUser(std::string_view passwd, Match match) {
  while (!passwd.empty()) {
    std::string_view line = cut(passwd, '\n');
    const std::string_view name = cut(line, ':');
    cut(line, ':');
    const auto uid = number(cut(line, ':'));
    const auto gid = number(cut(line, ':'));
    if (name.empty() || !validId(uid) || !validId(gid)) {
      continue;
    }
    const PasswdEntry entry{name, static_cast<std::uint32_t>(*uid),
                            static_cast<std::uint32_t>(*gid)};
    if (match(entry)) {
      return entry;
    }
  }
  return std::nullopt;
}

template <class Visit>
void eachGroup(std::string_view group, Visit visit) {
  while (!group.empty()) {
    std::string_view line = cut(group, '\n');
    const std::string_view name = cut(line, ':');
    cut(line, ':');
    const auto gid = number(cut(line, ':'));
    if (!name.empty() && validId(gid)) {
      visit(GroupEntry{name, static_cast<std::uint32_t>(*gid), line});
    }
  }
}

bool hasMember(std::string_view members, std::string_view user) {
  while (!members.empty()) {
    if (cut(members, ',') == user) {
      return true;
    }
  }
  return false;
}

Error rangeError() {
  return Error{ErrorKind::Internal, "uids and gids must be in range 0-2147483647"};
}

Result<std::uint32_t> resolveGroup(std::string_view wanted, std::string_view group) {
  const auto id = number(wanted);
  std::optional<std::uint32_t> found;
  eachGroup(group, [&](const GroupEntry& entry) {
    if (!found && (id ? entry.gid == *id : entry.name == wanted)) {
      found = entry.gid;
    }
  });
  if (found) {
    return *found;
  }
  if (!id) {
    return Error{ErrorKind::Internal, "unable to find group " + std::string(wanted) +
                                          ": no matching entries in group file"};
  }
  if (!validId(id)) {
    return rangeError();
  }
  return static_cast<std::uint32_t>(*id);
}

void addGroup(std::vector<std::uint32_t>& groups, std::uint32_t gid) {
  if (std::find(groups.begin(), groups.end(), gid) == groups.end()) {
    groups.push_back(gid);
  }
}

}  // namespace

Result<ResolvedUser> resolveUser(std::string_view user, const std::vector<std::string>& group_add,
                                 std::string_view passwd, std::string_view group) {
  std::string_view group_part = user;
  const std::string_view user_part = cut(group_part, ':');
  const auto id = number(user_part);
  const auto entry = findUser(passwd, [&](const PasswdEntry& candidate) {
    if (user_part.empty()) {
      return candidate.uid == 0;
    }
    return id ? candidate.uid == *id : candidate.name == user_part;
  });
  ResolvedUser out;
  if (entry) {
    out.uid = entry->uid;
    out.gid = entry->gid;
  } else if (!user_part.empty()) {
    if (!id) {
      return Error{ErrorKind::Internal, "unable to find user " + std::string(user_part) +
                                            ": no matching entries in passwd file"};
    }
    if (!validId(id)) {
      return rangeError();
    }
    out.uid = static_cast<std::uint32_t>(*id);
  }
  if (!group_part.empty()) {
    FLO_TRY_ASSIGN(out.gid, resolveGroup(group_part, group));
  }
  addGroup(out.groups, out.gid);
  if (entry && group_part.empty()) {
    eachGroup(group, [&](const GroupEntry& candidate) {
      if (hasMember(candidate.members, entry->name)) {
        addGroup(out.groups, candidate.gid);
      }
    });
  }
  for (const std::string& extra : group_add) {
    FLO_TRY_ASSIGN(const std::uint32_t gid, resolveGroup(extra, group));
    addGroup(out.groups, gid);
  }
  return out;
}

}  // namespace flotilla::engine::shim
