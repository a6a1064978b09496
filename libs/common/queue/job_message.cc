#include "common/queue/job_message.h"

#include <charconv>
#include <utility>

namespace flotilla {
namespace {

constexpr std::string_view kJobVersion = "job1";
constexpr std::string_view kReplyVersion = "reply1";
constexpr std::size_t kMostItems = 65'536;  // of a list; more is no message of ours

class Writer {
 public:
  Writer& put(std::string_view field) {
    text_ += std::to_string(field.size());
    text_ += ':';
    text_ += field;
    text_ += ',';
    return *this;
  }
  Writer& put(std::int64_t number) { return put(std::string_view(std::to_string(number))); }
  Writer& put(const JobEnv& env) {
    put(static_cast<std::int64_t>(env.values().size()));
    for (const auto& [key, value] : env.values()) {
      put(std::string_view(key)).put(std::string_view(value));
    }
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Reads fields in order. After the first bad one everything is empty and `good()` is false.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::string_view view() {
    std::size_t size = 0;
    const auto [end, failed] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
    const auto digits = static_cast<std::size_t>(end - rest_.data());
    // Colon and comma must be there as well.
    if (failed != std::errc{} || rest_.size() < digits + 2 || size > rest_.size() - digits - 2 ||
        rest_[digits] != ':' || rest_[digits + 1 + size] != ',') {
      return fail();
    }
    const std::string_view field = rest_.substr(digits + 1, size);
    rest_.remove_prefix(digits + size + 2);
    return field;
  }
  std::string text() { return std::string(view()); }
  std::int64_t number() {
    const std::string_view field = view();
    std::int64_t value = 0;
    const auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (failed != std::errc{} || end != field.data() + field.size()) {
      fail();
      return 0;
    }
    return value;
  }
  std::size_t count() {
    const std::int64_t value = number();
    if (value < 0 || static_cast<std::size_t>(value) > kMostItems) {
      fail();
      return 0;
    }
    return static_cast<std::size_t>(value);
  }
  JobEnv env() {
    JobEnv env;
    for (std::size_t left = count(); left > 0 && good_; --left) {
      std::string key = text();
      env.set(std::move(key), text());
    }
    return env;
  }

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view fail() {
    good_ = false;
    rest_ = {};
    return {};
  }

  std::string_view rest_;
  bool good_ = true;
};

Error notAMessage(const char* what) {
  return {ErrorKind::InvalidArgument, std::string("not a ") + what};
}

std::string sealed(const ClusterKey& key, const std::string& text) {
  return key.sign(kReplyPurpose, text) + text;
}

JobResult readResult(Reader& reader, bool success) {
  if (success) {
    JobOutput output;
    output.body = reader.text();
    output.env = reader.env();
    return output;
  }
  const ErrorKind kind = kindFromName(reader.view());
  std::string message = reader.text();
  return Error{kind, std::move(message)}.retryIn(std::chrono::seconds(reader.number()));
}

Established readEstablished(Reader& reader) {
  Established established;
  std::string address = reader.text();
  std::string ticket = reader.text();
  if (!address.empty()) {
    established.stream = StreamEndpoint{std::move(address), std::move(ticket)};
  }
  established.env = reader.env();
  return established;
}

}  // namespace

std::string encodeJob(const JobEnvelope& envelope) {
  const Job& job = envelope.job;
  Writer writer;
  writer.put(kJobVersion).put(envelope.engine_id).put(envelope.gateway_id);
  writer.put(envelope.issued_ms).put(envelope.lifetime_ms);
  writer.put(job.id).put(job.name).put(job.request_id);
  writer.put(job.api_version.major_number).put(job.api_version.minor_number);
  writer.put(static_cast<std::int64_t>(job.args.size()));
  for (const std::string& argument : job.args) {
    writer.put(std::string_view(argument));
  }
  return writer.put(job.env).put(std::string_view(job.body)).take();
}

Result<JobEnvelope> decodeJob(std::string_view text) {
  Reader reader(text);
  if (reader.view() != kJobVersion) {
    return notAMessage("job of this version");
  }
  JobEnvelope envelope;
  Job& job = envelope.job;
  envelope.engine_id = reader.text();
  envelope.gateway_id = reader.text();
  envelope.issued_ms = reader.number();
  envelope.lifetime_ms = reader.number();
  job.id = reader.text();
  job.name = reader.text();
  job.request_id = reader.text();
  job.api_version.major_number = static_cast<int>(reader.number());
  job.api_version.minor_number = static_cast<int>(reader.number());
  for (std::size_t left = reader.count(); left > 0 && reader.good(); --left) {
    job.args.push_back(reader.text());
  }
  job.env = reader.env();
  job.body = reader.text();
  if (!reader.complete()) {
    return notAMessage("job");
  }
  return envelope;
}

std::string encodeReply(const ClusterKey& key, const std::string& job_id,
                        const Established& established) {
  Writer writer;
  writer.put(kReplyVersion).put(std::string_view(job_id)).put(std::string_view("established"));
  const StreamEndpoint endpoint = established.stream.value_or(StreamEndpoint{});
  writer.put(std::string_view(endpoint.address))
      .put(std::string_view(endpoint.ticket))
      .put(established.env);
  return sealed(key, writer.take());
}

std::string encodeReply(const ClusterKey& key, const std::string& job_id, const JobResult& result) {
  Writer writer;
  writer.put(kReplyVersion)
      .put(std::string_view(job_id))
      .put(std::string_view(result ? "output" : "error"));
  if (result) {
    writer.put(std::string_view(result->body)).put(result->env);
  } else {
    const Error& error = result.error();
    writer.put(kindName(error.kind())).put(std::string_view(error.message()));
    writer.put(std::int64_t{error.retryAfter().count()});
  }
  return sealed(key, writer.take());
}

Result<JobReply> decodeReply(const ClusterKey& key, std::string_view message) {
  const std::string_view mac = message.substr(0, ClusterKey::kMacSize);
  const std::string_view text = message.substr(mac.size());
  if (!key.verify(kReplyPurpose, text, mac)) {
    return Error{ErrorKind::PermissionDenied, "a reply is not signed with the cluster's key"};
  }
  Reader reader(text);
  if (reader.view() != kReplyVersion) {
    return notAMessage("reply of this version");
  }
  JobReply reply;
  reply.job_id = reader.text();
  const std::string_view what = reader.view();
  if (what == "established") {
    reply.content = readEstablished(reader);
  } else if (what == "output" || what == "error") {
    reply.content = readResult(reader, what == "output");
  } else {
    return notAMessage("reply");
  }
  if (!reader.complete()) {
    return notAMessage("reply");
  }
  return reply;
}

}  // namespace flotilla
