#include "registry-proxy/upstream/credentials.h"

#include <array>
#include <cstdint>

#include "common/digest/digest.h"
#include "common/json/json.h"

namespace flotilla::registry {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string member(const json::Json& object, std::string_view key) {
  return json::stringOr(object, key, "").value_or("");
}

}  // namespace

std::string encodeBase64(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group =
          (group << 8U) | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += at + i <= bytes.size() ? kAlphabet[(group >> (18U - 6U * i)) & 63U] : '=';
    }
  }
  return out;
}

Result<std::string> decodeBase64(std::string_view text) {
  std::string out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  for (const char c : text) {
    const char plain = c == '-' ? '+' : c == '_' ? '/' : c;
    const std::size_t value = kAlphabet.find(plain);
    if (value == std::string_view::npos) {
      return Error{ErrorKind::InvalidArgument, "not base64"};
    }
    group = (group << 6U) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((group >> bits) & 0xFFU);
    }
  }
  return out;
}

std::string Credentials::fingerprint() const {
  if (empty()) {
    return "";
  }
  std::string all;
  for (const std::string* part : {&user, &password, &identity_token, &registry_token}) {
    all += std::to_string(part->size()) + ":" + *part;
  }
  return digestOf(all).hex();
}

std::string Credentials::basic() const { return "Basic " + encodeBase64(user + ":" + password); }

Credentials Credentials::fromRegistryAuth(std::string_view header) {
  const auto text = decodeBase64(header);
  const auto object =
      text ? json::parse(*text) : Result<json::Json>(Error{ErrorKind::InvalidArgument, ""});
  if (!object || !object->is_object()) {
    return {};
  }
  Credentials out{member(*object, "username"), member(*object, "password"),
                  member(*object, "identitytoken"), member(*object, "registrytoken")};
  if (out.user.empty() && !member(*object, "auth").empty()) {
    return fromAuthorization("Basic " + member(*object, "auth"));
  }
  return out;
}

Credentials Credentials::fromAuthorization(std::string_view header) {
  constexpr std::string_view kBasic = "Basic ";
  constexpr std::string_view kBearer = "Bearer ";
  Credentials out;
  if (header.starts_with(kBearer)) {
    out.registry_token = header.substr(kBearer.size());
  } else if (header.starts_with(kBasic)) {
    const auto text = decodeBase64(header.substr(kBasic.size()));
    if (const std::size_t colon = text ? text->find(':') : std::string::npos;
        colon != std::string::npos) {
      out.user = text->substr(0, colon);
      out.password = text->substr(colon + 1);
    }
  }
  return out;
}

}  // namespace flotilla::registry
