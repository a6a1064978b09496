#include "common/queue/reply_reader.h"

#include <chrono>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr const char* kReplyBlockSeconds = "4";
constexpr std::chrono::seconds kReplyLimit{9};
constexpr std::chrono::seconds kReplyRetry{1};
constexpr const char* kMostReplies = "256";

}  // namespace

ReplyReader::ReplyReader(GatewaySide& side, Hooks hooks)
    : side_(side),
      hooks_(std::move(hooks)),
      connection_(side.connection("replies", side.gateway_id, {.on_ready = side.guard([this] {
                                    read();
                                    hooks_.on_ready();
                                  })})) {
  if (side.options.metrics != nullptr) {
    refused_ = &side.options.metrics->counter("flotilla_queue_bad_replies_total",
                                              "Replies refused: not signed");
  }
}

void ReplyReader::read() {
  connection_->send({"BLMPOP", kReplyBlockSeconds, "1", side_.keys.reply(side_.gateway_id), "LEFT",
                     "COUNT", kMostReplies},
                    side_.guard([this](const Result<RedisReply>& reply) { received(reply); }),
                    kReplyLimit);
}

void ReplyReader::received(const Result<RedisReply>& reply) {
  if (!connection_->ready()) {
    return;  // its return begins anew
  }
  if (!reply) {
    log::error("replies cannot be read", {{"error", reply.error().message()}});
    side_.after(kReplyRetry, [this] {
      if (connection_->ready()) {
        read();
      }
    });
    return;
  }
  read();  // before the callbacks: Redis works meanwhile
  if (reply->elements.size() == 2) {
    for (const RedisReply& message : reply->elements[1].elements) {
      heard(message.text);
    }
  }
}

void ReplyReader::heard(std::string_view message) {
  auto reply = decodeReply(side_.options.key, message);
  if (!reply) {
    if (refused_ != nullptr) {
      refused_->Increment();
    }
    log::warning("a reply was refused", {{"error", reply.error().message()}});
    return;
  }
  hooks_.on_reply(*std::move(reply));
}

}  // namespace flotilla
