#include "engine/shim/start_failure.h"

#include <cctype>
#include <nlohmann/json.hpp>

namespace flotilla::engine::shim {
namespace {

constexpr std::string_view kNotDirectoryHint =
    ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified "
    "host "
    "path exists and is the expected type";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The errno texts of C begin upper-case, those of Go lower-case.
std::string lowerFirst(std::string_view text) {
  std::string out(text);
  if (!out.empty()) {
    out.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(out.front())));
  }
  return out;
}

std::string lowerErrno(const std::string& text) {
  const std::size_t colon = text.rfind(": ");
  return colon == std::string::npos
             ? text
             : text.substr(0, colon + 2) + lowerFirst(text.substr(colon + 2));
}

/// crun's "mount `src` to `dst`: Not a directory" in the shape of runc's sentence.
std::string rewordMount(const std::string& message) {
  const std::size_t source = message.find("mount `");
  const std::size_t middle = message.find("` to `", source);
  const std::size_t end = message.find('`', middle == std::string::npos ? middle : middle + 6);
  if (source == std::string::npos || middle == std::string::npos || end == std::string::npos) {
    return message;
  }
  const std::string src = message.substr(source + 7, middle - source - 7);
  const std::string dst = message.substr(middle + 6, end - middle - 6);
  return "error during container init: error mounting \"" + src + "\" to rootfs at \"/" + dst +
         "\"" + message.substr(end + 1);
}

}  // namespace

std::string lastRuntimeError(std::string_view log) {
  std::string message;
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    const auto line = log.substr(0, end);
    log = end == std::string_view::npos ? std::string_view() : log.substr(end + 1);
    const auto parsed = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (!parsed.is_object()) {
      continue;
    }
    const auto level = parsed.find("level");
    const auto text = parsed.find("msg");
    if (text != parsed.end() && text->is_string() &&
        (level == parsed.end() || *level == "error" || *level == "fatal")) {
      message = text->get<std::string>();
    }
  }
  return message;
}

StartFailure startFailure(Verb verb, const std::string& cause) {
  std::string text = verb == Verb::Run
                         ? "failed to create task for container: failed to create shim task: "
                           "OCI runtime create failed: "
                         : "OCI runtime exec failed: exec failed: ";
  text += cause;
  ErrorKind kind = ErrorKind::Internal;
  int code = 128;
  if (contains(cause, "executable file not found") ||
      contains(cause, "no such file or directory")) {
    kind = ErrorKind::InvalidArgument;
    code = 127;
  }
  if (contains(cause, "permission denied") || contains(cause, "is a directory")) {
    kind = ErrorKind::InvalidArgument;
    code = 126;
  }
  if (contains(cause, "not a directory")) {
    text += kNotDirectoryHint;
    kind = ErrorKind::InvalidArgument;
    code = 127;
  }
  return {Error{kind, std::move(text)}, code};
}

StartFailure plainFailure(Error error) { return {std::move(error), 128}; }

StartFailure fromRuntimeLog(Verb verb, std::string_view log, const std::string& program) {
  std::string message = lowerErrno(lastRuntimeError(log));
  if (message.empty()) {
    message = "the runtime ended without a message";
  }
  const std::string prefix =
      verb == Verb::Run ? "unable to start container process: error during container init: "
                        : "unable to start container process: ";
  if (contains(message, "not found in $PATH")) {
    const bool has_slash = contains(program, "/");
    message = prefix + "exec: \"" + program + "\": " +
              (has_slash ? "stat " + program + ": no such file or directory"
                         : std::string("executable file not found in $PATH"));
  } else if (contains(message, "open executable") || contains(message, "exec container process")) {
    const bool denied = contains(message, "ermission denied");
    // crun says so of a directory that was mounted where the program should be.
    const bool directory = contains(message, "peration not permitted");
    message = prefix + "exec: \"" + program + "\": " +
              (denied      ? "permission denied"
               : directory ? "is a directory: permission denied"
                           : message.substr(message.rfind(": ") + 2));
  } else if (contains(message, "mount `")) {
    message = "unable to start container process: " + rewordMount(message);
  }
  return startFailure(verb, message);
}

StartFailure withBindSources(StartFailure failure, const std::vector<BindMount>& binds) {
  constexpr std::string_view kMounting = "error mounting \"";
  const std::string& message = failure.error.message();
  const std::size_t begin = message.find(kMounting);
  if (begin == std::string::npos) {
    return failure;
  }
  const std::size_t path = begin + kMounting.size();
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const std::string place = "/binds/" + std::to_string(i);
    const std::size_t end = message.find('"', path);
    if (end != std::string::npos && message.substr(path, end - path).ends_with(place)) {
      std::string named = message;
      named.replace(path, end - path, binds[i].source);
      return {Error{failure.error.kind(), std::move(named)}, failure.code};
    }
  }
  return failure;
}

std::string rewordExecError(std::string_view output, const std::string& program) {
  const std::string_view line = output.substr(0, output.find('\n'));
  const auto parsed = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (!parsed.is_object() || !parsed.contains("msg") || !parsed["msg"].is_string()) {
    return {};
  }
  const std::string message = parsed["msg"].get<std::string>();
  const std::size_t colon = message.rfind(": ");
  if (!message.starts_with("exec container process") || colon == std::string::npos) {
    return {};
  }
  return "exec " + program + ": " + lowerFirst(message.substr(colon + 2)) + "\n";
}

}  // namespace flotilla::engine::shim
