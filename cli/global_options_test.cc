#include "cli/global_options.h"

#include <gtest/gtest.h>

#include <map>

namespace flotilla::cli {
namespace {

Environment fixed(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(GlobalOptions, FlagBeatsEnvironmentBeatsDefault) {
  GlobalOptions options;
  EXPECT_EQ(chooseEndpoint(options, fixed({}))->path, "/run/flotilla/flotilla.sock");
  EXPECT_EQ(chooseEndpoint(options, fixed({{"DOCKER_HOST", "unix:///e"}}))->path, "/e");
  options.host = "unix:///f";
  EXPECT_EQ(chooseEndpoint(options, fixed({{"DOCKER_HOST", "unix:///e"}}))->path, "/f");
}

TEST(GlobalOptions, TlsFilesComeFromFlagsOrFolder) {
  GlobalOptions options;
  const auto by_environment = chooseEndpoint(
      options,
      fixed({{"DOCKER_HOST", "tcp://h"}, {"DOCKER_TLS_VERIFY", "1"}, {"DOCKER_CERT_PATH", "/c"}}));
  EXPECT_EQ(by_environment->tls.ca_cert, "/c/ca.pem");
  EXPECT_TRUE(by_environment->tls.verify);
  EXPECT_EQ(by_environment->port, 2376);
  options = {.host = "tcp://h:1", .tls = true, .ca_cert = "/a.pem"};
  const auto by_flags = chooseEndpoint(options, fixed({}));
  EXPECT_EQ(by_flags->tls.ca_cert, "/a.pem");
  EXPECT_TRUE(by_flags->tls.cert.empty());
  EXPECT_FALSE(by_flags->tls.verify);
}

TEST(GlobalOptions, WithoutTlsThereAreNoCertificates) {
  EXPECT_FALSE(chooseEndpoint({}, fixed({{"DOCKER_HOST", "tcp://h"}, {"DOCKER_CERT_PATH", "/c"}}))
                   ->tls.enabled);
}

}  // namespace
}  // namespace flotilla::cli
