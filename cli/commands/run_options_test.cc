#include "cli/commands/run_options.h"

#include <gtest/gtest.h>

namespace flotilla::cli {
namespace {

using nlohmann::json;

json published(const std::string& spec) {
  json bindings = json::object();
  const auto added = addPublished(spec, bindings);
  return added ? bindings : json(added.error().message());
}

json bodyOf(std::vector<std::string> arguments) {
  CLI::App verb;
  RunOptions options;
  verb.prefix_command();
  addRunFlags(verb, options);
  std::reverse(arguments.begin(), arguments.end());
  verb.parse(arguments);
  const auto rest = verb.remaining();
  options.image = rest.front();
  options.command.assign(rest.begin() + 1, rest.end());
  const auto body = createBody(options, std::nullopt);
  return body ? *body : json(body.error().message());
}

TEST(Publish, AllForms) {
  EXPECT_EQ(published("8080:80"), json::parse(R"({"80/tcp":[{"HostIp":"","HostPort":"8080"}]})"));
  EXPECT_EQ(published("80"), json::parse(R"({"80/tcp":[{"HostIp":"","HostPort":""}]})"));
  EXPECT_EQ(published("127.0.0.1::53/udp"),
            json::parse(R"({"53/udp":[{"HostIp":"127.0.0.1","HostPort":""}]})"));
  EXPECT_EQ(published("[::1]:1:2"), json::parse(R"({"2/tcp":[{"HostIp":"::1","HostPort":"1"}]})"));
  EXPECT_EQ(
      published("10-11:20-21").dump(),
      R"({"20/tcp":[{"HostIp":"","HostPort":"10"}],"21/tcp":[{"HostIp":"","HostPort":"11"}]})");
  EXPECT_EQ(published("8000-9000:80"),
            json::parse(R"({"80/tcp":[{"HostIp":"","HostPort":"8000-9000"}]})"));
}

TEST(Publish, RefusesWhatIsNoPort) {
  EXPECT_EQ(published("70000:1"), "invalid hostPort: 70000");
  EXPECT_EQ(published("1:x"), "invalid containerPort: x");
  EXPECT_EQ(published(""), "invalid containerPort: ");
  EXPECT_EQ(published("10-12:20-21"),
            "invalid ranges specified for container and host Ports: 20-21 and 10-12");
}

TEST(RunOptions, FlagsEndWhereTheImageBegins) {
  const auto body = bodyOf({"-it", "--rm", "-e", "A=1", "busybox", "sh", "-c", "-e", "--rm"});
  EXPECT_EQ(body["Image"], "busybox");
  EXPECT_EQ(body["Cmd"], json({"sh", "-c", "-e", "--rm"}));
  EXPECT_EQ(body["Env"], json({"A=1"}));
  EXPECT_EQ(body["Tty"], true);
  EXPECT_EQ(body["StdinOnce"], true);
  EXPECT_EQ(body["HostConfig"]["AutoRemove"], true);
}

TEST(RunOptions, LimitsAndMounts) {
  const auto host =
      bodyOf({"--memory", "64m", "--cpus", "1.5", "--pids-limit", "7", "-v", "/a:/b:ro", "-v",
              "/anon", "--tmpfs", "/t:size=1m", "--restart", "on-failure:3", "x"});
  EXPECT_EQ(host["HostConfig"]["Memory"], 67108864);
  EXPECT_EQ(host["HostConfig"]["NanoCpus"], 1500000000);
  EXPECT_EQ(host["HostConfig"]["PidsLimit"], 7);
  EXPECT_EQ(host["HostConfig"]["Binds"], json({"/a:/b:ro"}));
  EXPECT_EQ(host["Volumes"], json({{"/anon", json::object()}}));
  EXPECT_EQ(host["HostConfig"]["Tmpfs"], json({{"/t", "size=1m"}}));
  EXPECT_EQ(host["HostConfig"]["RestartPolicy"],
            json({{"Name", "on-failure"}, {"MaximumRetryCount", 3}}));
}

TEST(RunOptions, AnEmptyEntrypointIsNotNone) {
  EXPECT_EQ(bodyOf({"--entrypoint", "", "x"})["Entrypoint"], json({""}));
  EXPECT_FALSE(bodyOf({"x"}).contains("Entrypoint"));
}

TEST(RunOptions, RefusesConflictsAndBadValues) {
  EXPECT_EQ(bodyOf({"--rm", "--restart", "always", "x"}),
            "conflicting options: cannot specify both --restart and --rm");
  EXPECT_EQ(bodyOf({"--memory", "wrong", "x"}), "invalid size: 'wrong'");
  EXPECT_EQ(bodyOf({"--restart", "on-failure:x", "x"}),
            "invalid restart policy format: maximum retry count must be an integer");
}

}  // namespace
}  // namespace flotilla::cli
