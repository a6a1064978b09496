#include "api-gateway/http/origin_guard.h"

#include <gtest/gtest.h>

namespace flotilla::gateway {
namespace {

ErrorKind kindOf(const std::string& host, const std::string& origin, const std::string& allowed,
                 Exposure exposure = Exposure::PlainTcp) {
  http::Request request;
  request.headers.add("Host", host);
  if (!origin.empty()) {
    request.headers.add("Origin", origin);
  }
  const auto result = checkOrigin(request, exposure, allowed);
  return result ? ErrorKind::NotModified : result.error().kind();  // NotModified: accepted
}

constexpr auto kAccepted = ErrorKind::NotModified;

TEST(OriginGuard, PlainTcpNeedsALoopbackNameOrAnAddress) {
  for (const char* host : {"localhost", "LocalHost:2375", "api.localhost:80", "127.0.0.1:2375",
                           "[::1]:2375", "10.1.2.3"}) {
    EXPECT_EQ(kindOf(host, "", ""), kAccepted) << host;
  }
  for (const char* host : {"evil.example", "evil.example:2375", "localhost.evil.example", "",
                           "127.0.0.1.evil.example", "[evil]:1", "["}) {
    EXPECT_EQ(kindOf(host, "", ""), ErrorKind::PermissionDenied) << host;
  }
}

TEST(OriginGuard, PlainTcpRefusesForeignOrigins) {
  EXPECT_EQ(kindOf("localhost", "http://evil.example", ""), ErrorKind::PermissionDenied);
  EXPECT_EQ(kindOf("localhost", "null", ""), ErrorKind::PermissionDenied);
  EXPECT_EQ(kindOf("localhost", "http://ui.example", "http://ui.example"), kAccepted);
  EXPECT_EQ(kindOf("localhost", "http://other.example", "http://ui.example"),
            ErrorKind::PermissionDenied);
  EXPECT_EQ(kindOf("localhost", "http://any.example", "*"), kAccepted);
}

TEST(OriginGuard, LeavesOtherListenersAlone) {
  EXPECT_EQ(kindOf("docker", "http://any.example", "", Exposure::Guarded), kAccepted);
}

}  // namespace
}  // namespace flotilla::gateway
