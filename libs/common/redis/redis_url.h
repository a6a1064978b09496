#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"
#include "common/net/address.h"

namespace flotilla {

/// Where a Redis server is and how to log in. A value.
///
///   redis://[user[:password]@]host[:port][/database]
///   rediss://...                                      the same over TLS
///   unix://[user[:password]@]/path/to.sock[?db=1]     redis+unix:// means the same
///
/// Parameters: db, password-file (its first line; keeps the password off the command line), and for
/// TLS cacert, cert, key (PEM files). User and password may be %-escaped.
struct RedisUrl {
  net::Address address;
  bool tls = false;
  std::string user;      // "" with a password is Redis' user "default"
  std::string password;  // "" logs in as nobody
  std::string password_file;
  int database = 0;
  std::string ca_file, cert_file, key_file;

  /// Errors: InvalidArgument naming what is wrong; a Sentinel URL is refused by name. The password
  /// is never part of a message.
  static Result<RedisUrl> parse(std::string_view text);

  /// For logs and messages: without user, password and parameters.
  [[nodiscard]] std::string shown() const;
};

}  // namespace flotilla
