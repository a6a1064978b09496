#include "common/model/security_options.h"

#include <optional>

namespace flotilla::model {
namespace {

/// Go's strconv.ParseBool.
std::optional<bool> parseBool(const std::string& text) {
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return std::nullopt;
}

bool apply(SecurityOptions& options, const std::string& key, const std::string& value) {
  if (key == "label" || key == "apparmor") {
    return true;
  }
  if (key == "seccomp") {
    options.seccomp_unconfined = value == "unconfined";
    options.seccomp_profile = value == "unconfined" || value == "builtin" ? "" : value;
    return true;
  }
  const std::optional<bool> flag = parseBool(value);
  if (key == "no-new-privileges" && flag) {
    options.no_new_privileges = *flag;
    return true;
  }
  if (key == "writable-cgroups" && flag) {
    options.writable_cgroups = *flag;
    return true;
  }
  return false;
}

}  // namespace

Result<SecurityOptions> SecurityOptions::parse(const std::vector<std::string>& options) {
  SecurityOptions parsed;
  for (const std::string& option : options) {
    if (option == "no-new-privileges") {
      parsed.no_new_privileges = true;
      continue;
    }
    if (option == "disable") {
      continue;  // an old spelling of label=disable
    }
    const std::size_t equals = option.find('=');
    const std::size_t separator = equals != std::string::npos ? equals : option.find(':');
    if (separator == std::string::npos) {
      return Error(ErrorKind::InvalidArgument, "invalid --security-opt 1: \"" + option + "\"");
    }
    if (!apply(parsed, option.substr(0, separator), option.substr(separator + 1))) {
      return Error(ErrorKind::InvalidArgument, "invalid --security-opt 2: \"" + option + "\"");
    }
  }
  return parsed;
}

}  // namespace flotilla::model
