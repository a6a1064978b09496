#include "common/redis/redis_url.h"

#include <charconv>
#include <utility>

namespace flotilla {
namespace {

constexpr std::uint16_t kDefaultPort = 6379;
constexpr int kMaxDatabase = 1 << 20;

Error bad(const std::string& what) { return {ErrorKind::InvalidArgument, "redis URL: " + what}; }

int hexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Result<std::string> unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? hexDigit(text[i + 2]) : -1;
    if (low < 0) {
      return bad("a % is not followed by two hex digits");
    }
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

Result<int> parseDatabase(std::string_view text) {
  int number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || number < 0 ||
      number > kMaxDatabase) {
    return bad("bad database \"" + std::string(text) + "\"");
  }
  return number;
}

Result<void> setParameter(RedisUrl& url, std::string_view key, std::string value) {
  if (key == "db") {
    FLO_TRY_ASSIGN(url.database, parseDatabase(value));
  } else if (key == "password-file") {
    url.password_file = std::move(value);
  } else if (key == "cacert") {
    url.ca_file = std::move(value);
  } else if (key == "cert") {
    url.cert_file = std::move(value);
  } else if (key == "key") {
    url.key_file = std::move(value);
  } else {
    return bad("unknown parameter \"" + std::string(key) + "\"");
  }
  return {};
}

Result<void> setParameters(RedisUrl& url, std::string_view query) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      return bad("parameter \"" + std::string(pair) + "\" has no value");
    }
    FLO_TRY_ASSIGN(auto value, unescape(pair.substr(equals + 1)));
    FLO_TRY(setParameter(url, pair.substr(0, equals), std::move(value)));
  }
  return {};
}

Result<void> setLogin(RedisUrl& url, std::string_view login) {
  const std::size_t colon = login.find(':');
  FLO_TRY_ASSIGN(url.user, unescape(login.substr(0, colon)));
  if (colon != std::string_view::npos) {
    FLO_TRY_ASSIGN(url.password, unescape(login.substr(colon + 1)));
  }
  return {};
}

Result<void> setHost(RedisUrl& url, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    FLO_TRY_ASSIGN(url.database, parseDatabase(rest.substr(slash + 1)));
  }
  const auto host = std::string(rest.substr(0, slash));
  auto address = net::Address::parse("tcp://" + host, kDefaultPort);
  if (!address) {
    return bad("bad host \"" + host + "\"");
  }
  url.address = *std::move(address);
  return {};
}

Result<void> checkFiles(const RedisUrl& url) {
  const bool any = !url.ca_file.empty() || !url.cert_file.empty() || !url.key_file.empty();
  if (any && !url.tls) {
    return bad("cacert, cert and key need rediss://");
  }
  if (url.cert_file.empty() != url.key_file.empty()) {
    return bad("cert and key go together");
  }
  if (!url.password.empty() && !url.password_file.empty()) {
    return bad("a password and a password-file are given");
  }
  return {};
}

}  // namespace

Result<RedisUrl> RedisUrl::parse(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) {
    return bad("no scheme; redis://host:port, rediss://host:port or unix:///path is expected");
  }
  const std::string_view scheme = text.substr(0, mark);
  std::string_view rest = text.substr(mark + 3);
  if (scheme.find("sentinel") != std::string_view::npos) {
    return bad("Redis Sentinel is not supported (" + std::string(scheme) +
               "://): name one server with redis:// or rediss://");
  }
  RedisUrl url;
  const bool is_unix = scheme == "unix" || scheme == "redis+unix";
  url.tls = scheme == "rediss";
  if (!is_unix && !url.tls && scheme != "redis") {
    return bad("unknown scheme \"" + std::string(scheme) + "\"");
  }
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    FLO_TRY(setParameters(url, rest.substr(query + 1)));
    rest = rest.substr(0, query);
  }
  // The last @ before the path: a password may hold one that nobody escaped.
  if (const std::size_t at = rest.substr(0, rest.find('/')).rfind('@');
      at != std::string_view::npos) {
    FLO_TRY(setLogin(url, rest.substr(0, at)));
    rest.remove_prefix(at + 1);
  }
  FLO_TRY(checkFiles(url));
  if (!is_unix) {
    FLO_TRY(setHost(url, rest));
    return url;
  }
  auto address = net::Address::parse("unix://" + std::string(rest));
  if (!address || !rest.starts_with('/')) {
    return bad("bad socket path \"" + std::string(rest) + "\"");
  }
  url.address = *std::move(address);
  return url;
}

std::string RedisUrl::shown() const {
  std::string text = address.toString();
  if (address.kind == net::Address::Kind::Tcp) {
    text.replace(0, std::string_view("tcp").size(), tls ? "rediss" : "redis");
  }
  return database == 0 ? text : text + " database " + std::to_string(database);
}

}  // namespace flotilla
