#include "engine/jobs/exported_streams.h"

#include <utility>

namespace flotilla::engine {
namespace {

class ExportingContext final : public JobContext {
 public:
  ExportingContext(JobContextPtr context, StreamExporter& exporter)
      : context_(std::move(context)), exporter_(exporter) {}

  [[nodiscard]] const Job& job() const override { return context_->job(); }
  void established(Established message) override {
    if (message.stream) {
      message.stream = exporter_.publish(*message.stream);
    }
    context_->established(std::move(message));
  }
  void complete(JobResult result) override { context_->complete(std::move(result)); }
  [[nodiscard]] bool cancelled() const override { return context_->cancelled(); }
  void onCancel(std::function<void()> fn) override { context_->onCancel(std::move(fn)); }

 private:
  const JobContextPtr context_;
  StreamExporter& exporter_;
};

}  // namespace

JobContextPtr exportStreams(JobContextPtr context, StreamExporter& exporter) {
  return std::make_shared<ExportingContext>(std::move(context), exporter);
}

}  // namespace flotilla::engine
