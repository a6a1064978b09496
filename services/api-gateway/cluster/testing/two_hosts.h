#pragma once

#include <string>

#include "api-gateway/cluster/testing/cluster_fixture.h"

namespace flotilla::gateway {

/// A cluster of two hosts, which start() finds.
class TwoHosts : public ClusterFixture {
 protected:
  TwoHosts() : one_(engine("node-1")), two_(engine("node-2")) {}

  /// The host that has a container of this name, if one of the two has.
  FakeEngine& of(const std::string& container) { return one_.has(container) ? one_ : two_; }
  FakeEngine& other(const std::string& container) { return one_.has(container) ? two_ : one_; }

  FakeEngine& one_;
  FakeEngine& two_;
};

}  // namespace flotilla::gateway
