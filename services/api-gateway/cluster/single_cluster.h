#pragma once

#include <memory>
#include <utility>

#include "api-gateway/cluster/cluster.h"

namespace flotilla::gateway {

/// Plain Docker semantics: one engine does everything.
class SingleCluster final : public Cluster {
 public:
  explicit SingleCluster(std::unique_ptr<EngineClient> engine) : engine_(std::move(engine)) {}

  Result<EngineClient*> engineFor(const Job& /*job*/) override { return engine_.get(); }

 private:
  std::unique_ptr<EngineClient> engine_;
};

}  // namespace flotilla::gateway
