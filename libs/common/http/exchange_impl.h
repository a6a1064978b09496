#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/exchange.h"

namespace flotilla::http {

class Connection;
struct ServerContext;

/// The handle of turn number `turn` of `connection`: brings calls from any thread to the loop's.
ExchangePtr makeExchange(std::shared_ptr<Connection> connection, std::uint64_t turn,
                         std::shared_ptr<const Request> request);

/// `given` when it is fit for logs and headers (1 to 64 of letters, digits, "-_."), else a new one.
std::string requestId(ServerContext& server, std::string_view given);

}  // namespace flotilla::http
