#include "registry-proxy/http/registry_request.h"

#include <algorithm>
#include <charconv>

#include "common/digest/digest.h"
#include "registry-proxy/upstream/url.h"

namespace flotilla::registry {
namespace {

constexpr std::string_view kRoot = "/v2/";
constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTag = 128;

bool isLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool isAlnum(char c) { return isLowerAlnum(c) || (c >= 'A' && c <= 'Z'); }

bool isRepository(std::string_view name) {
  bool fresh = true;  // at the beginning of a component
  for (const char c : name) {
    if (fresh && !isLowerAlnum(c)) {
      return false;
    }
    if (!isLowerAlnum(c) && c != '.' && c != '_' && c != '-' && c != '/') {
      return false;
    }
    fresh = c == '/';
  }
  return !name.empty() && !fresh && name.size() <= kMaxName;
}

bool isTag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTag && (isAlnum(tag.front()) || tag.front() == '_') &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return isAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

Refusal invalid(const char* code, std::string message) {
  return {.status = 400, .code = code, .message = std::move(message)};
}

/// "<repository><separator><rest>" at the last separator.
bool split(std::string_view path, std::string_view separator, std::string_view& repository,
           std::string_view& rest) {
  const std::size_t at = path.rfind(separator);
  if (at == std::string_view::npos || at == 0) {
    return false;
  }
  repository = path.substr(0, at);
  rest = path.substr(at + separator.size());
  return rest.find('/') == std::string_view::npos;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                   : std::nullopt;
}

}  // namespace

Served<RegistryRequest> RegistryRequest::parse(const http::Request& request) {
  RegistryRequest out;
  std::string_view path = request.path;
  if (path == "/v2" || path == kRoot) {
    return out;
  }
  std::string_view repository;
  std::string_view reference;
  if (!path.starts_with(kRoot)) {
    return tl::unexpected(
        Refusal{.status = 404, .code = "UNSUPPORTED", .message = "page not found"});
  }
  path.remove_prefix(kRoot.size());
  if (split(path, "/manifests/", repository, reference)) {
    out.kind = Kind::Manifest;
  } else if (split(path, "/blobs/", repository, reference)) {
    out.kind = Kind::Blob;
  } else if (split(path, "/tags/", repository, reference) && reference == "list") {
    out.kind = Kind::Tags;
  } else {
    return tl::unexpected(
        Refusal{.status = 404, .code = "UNSUPPORTED", .message = "page not found"});
  }
  out.registry = request.query.get("ns");
  if (out.registry.empty()) {
    out.registry = kDefaultRegistry;
  }
  const auto base = Url::parse("https://" + out.registry);
  if (!isRepository(repository) || !base || base->target != "/") {
    return tl::unexpected(invalid("NAME_INVALID", "invalid repository name"));
  }
  const bool is_digest = reference.find(':') != std::string_view::npos;
  if (out.kind == Kind::Blob || is_digest ? !Digest::isDigest(reference) : !isTag(reference)) {
    return tl::unexpected(is_digest ? invalid("DIGEST_INVALID", "invalid digest")
                                    : invalid("TAG_INVALID", "invalid tag"));
  }
  out.repository = repository;
  out.reference = reference;
  out.credentials = request.headers.has("X-Registry-Auth")
                        ? Credentials::fromRegistryAuth(request.headers.get("X-Registry-Auth"))
                        : Credentials::fromAuthorization(request.headers.get("Authorization"));
  return out;
}

std::optional<ByteRange> ByteRange::parse(std::string_view header) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) {
    return std::nullopt;
  }
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (dash == 0) {
    return last && *last > 0 ? std::optional(ByteRange{.suffix = last}) : std::nullopt;
  }
  if (!first || (!last && dash + 1 != header.size()) || (last && *last < *first)) {
    return std::nullopt;
  }
  return ByteRange{.first = *first, .last = last};
}

std::optional<ByteRange::Bounds> ByteRange::within(std::uint64_t size) const {
  const Bounds bounds{.first = suffix ? size - std::min(*suffix, size) : first,
                      .end = last && *last < size ? *last + 1 : size};
  return bounds.first < bounds.end ? std::optional(bounds) : std::nullopt;
}

}  // namespace flotilla::registry
