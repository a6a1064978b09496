#include "bench/docker.h"

#include <nlohmann/json.hpp>

namespace flotilla::bench {
namespace {

constexpr int kTimeoutMs = 120'000;

Error unexpected(const cli::HttpRequest& request, int status, const std::string& body) {
  return {ErrorKind::Internal, request.method + " " + request.target + " answered " +
                                   std::to_string(status) + ": " + body.substr(0, 300)};
}

std::string field(const std::string& text, const char* name) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_object() && parsed.contains(name) && parsed[name].is_string()
             ? parsed[name].get<std::string>()
             : std::string();
}

std::string createBody(const ContainerSpec& spec) {
  const auto command = spec.command.empty()
                           ? nlohmann::json::array({"/bin/true"})
                           : nlohmann::json::array({"/bin/sh", "-c", spec.command});
  const nlohmann::json body = {{"Image", spec.image},
                               {"Cmd", command},
                               {"Labels", {{"flotilla.bench", "1"}}},
                               {"OpenStdin", spec.open_stdin},
                               {"StdinOnce", spec.open_stdin},
                               {"HostConfig", {{"NetworkMode", spec.network}}}};
  return body.dump();
}

}  // namespace

Result<Docker> Docker::connect(const cli::Endpoint& endpoint) {
  FLO_TRY_ASSIGN(auto connection, cli::Connection::connect(endpoint, kTimeoutMs));
  return Docker(cli::HttpStream(std::move(connection), endpoint.hostHeader()));
}

Result<std::string> Docker::call(const cli::HttpRequest& request, int expected, int also_expected) {
  cli::HttpHead head;
  FLO_TRY_ASSIGN(auto body, stream_.roundTrip(request, head));
  if (head.status != expected && head.status != also_expected) {
    return unexpected(request, head.status, body);
  }
  return body;
}

Result<std::string> Docker::create(const ContainerSpec& spec) {
  FLO_TRY_ASSIGN(const auto body, post("/v1.41/containers/create", createBody(spec), 201));
  return field(body, "Id");
}

Result<void> Docker::start(const std::string& id) {
  FLO_TRY(post("/v1.41/containers/" + id + "/start", "", 204));
  return {};
}

Result<void> Docker::wait(const std::string& id) {
  FLO_TRY_ASSIGN(const auto body, post("/v1.41/containers/" + id + "/wait", "", 200));
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object() || parsed.value("StatusCode", -1) != 0) {
    return Error(ErrorKind::Internal, "container " + id + " exited badly: " + body);
  }
  return {};
}

Result<void> Docker::remove(const std::string& id, bool force) {
  FLO_TRY(call({.method = "DELETE",
                .target = "/v1.41/containers/" + id + (force ? "?force=1" : ""),
                .body = {}},
               204));
  return {};
}

Result<void> Docker::removeImage(const std::string& name) {
  FLO_TRY(call({.method = "DELETE", .target = "/v1.41/images/" + name + "?force=1", .body = {}},
               200, 404));
  return {};
}

Result<std::string> Docker::launch(const ContainerSpec& spec) {
  FLO_TRY_ASSIGN(auto id, create(spec));
  FLO_TRY(start(id));
  return id;
}

Result<void> Docker::run(const ContainerSpec& spec) {
  FLO_TRY_ASSIGN(const auto id, launch(spec));
  FLO_TRY(wait(id));
  return remove(id);
}

Result<std::string> Docker::get(const std::string& target) {
  return call({.method = "GET", .target = target, .body = {}}, 200);
}

Result<unsigned long long> Docker::getLength(const std::string& target) {
  FLO_TRY(stream_.send({.method = "GET", .target = target, .body = {}}));
  FLO_TRY_ASSIGN(const auto head, stream_.readHead());
  unsigned long long size = 0;
  FLO_TRY(stream_.readBody(head, [&size](std::string_view piece) {
    size += piece.size();
    return true;
  }));
  if (head.status != 200) {
    return Error(ErrorKind::Internal, "GET " + target + " answered " + std::to_string(head.status));
  }
  return size;
}

Result<std::string> Docker::post(const std::string& target, const std::string& body, int expected) {
  return call({.method = "POST", .target = target, .body = body}, expected);
}

Result<cli::HttpStream> Docker::hijack(const std::string& target, const std::string& body) && {
  const cli::HttpRequest request{.method = "POST", .target = target, .body = body, .upgrade = true};
  FLO_TRY(stream_.send(request));
  FLO_TRY_ASSIGN(const auto head, stream_.readHead());
  if (head.status != 101 && head.status != 200) {
    return unexpected(request, head.status, "");
  }
  return std::move(stream_);
}

Result<cli::HttpStream> Docker::openStream(const std::string& target) && {
  const cli::HttpRequest request{.method = "GET", .target = target, .body = {}};
  FLO_TRY(stream_.send(request));
  FLO_TRY_ASSIGN(const auto head, stream_.readHead());
  if (head.status != 200) {
    return unexpected(request, head.status, "");
  }
  return std::move(stream_);
}

Result<int> Docker::initPid(const std::string& id) {
  FLO_TRY_ASSIGN(const auto body, get("/v1.41/containers/" + id + "/json"));
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  const nlohmann::json::json_pointer where("/State/Pid");
  if (!parsed.is_object() || !parsed.contains(where) || !parsed[where].is_number_integer()) {
    return Error(ErrorKind::Internal, "inspect of " + id + " has no State.Pid");
  }
  return parsed[where].get<int>();
}

}  // namespace flotilla::bench
