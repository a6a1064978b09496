#include "engine/images/reference.h"

#include <algorithm>

#include "engine/images/sha256.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTag = 128;

bool isLower(char c) { return c >= 'a' && c <= 'z'; }
bool isUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLowerAlnum(char c) { return isLower(c) || isDigit(c); }
bool isAlnum(char c) { return isLower(c) || isUpper(c) || isDigit(c); }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); }

Error invalidFormat() { return Error{ErrorKind::InvalidArgument, "invalid reference format"}; }

/// [a-z0-9]+ joined by ".", "_", "__" or any number of "-".
bool isPathComponent(std::string_view part) {
  if (part.empty() || !isLowerAlnum(part.front()) || !isLowerAlnum(part.back())) {
    return false;
  }
  for (std::size_t i = 0; i < part.size();) {
    if (isLowerAlnum(part[i])) {
      ++i;
      continue;
    }
    const std::size_t end = part.find_first_not_of(part[i], i);
    const std::size_t run = end - i;
    const bool allowed =
        part[i] == '-' || (part[i] == '_' && run <= 2) || (part[i] == '.' && run == 1);
    if (!allowed || !isLowerAlnum(part[end])) {
      return false;
    }
    i = end;
  }
  return true;
}

bool isPath(std::string_view path) {
  for (;;) {
    const std::size_t slash = path.find('/');
    if (!isPathComponent(path.substr(0, slash))) {
      return false;
    }
    if (slash == std::string_view::npos) {
      return true;
    }
    path.remove_prefix(slash + 1);
  }
}

bool isDomainLabel(std::string_view label) {
  return !label.empty() && isAlnum(label.front()) && isAlnum(label.back()) &&
         std::all_of(label.begin(), label.end(), [](char c) { return isAlnum(c) || c == '-'; });
}

/// host names, IPv4 and [IPv6], with an optional port.
bool isDomain(std::string_view domain) {
  if (domain.starts_with('[')) {
    const std::size_t end = domain.find(']');
    if (end == std::string_view::npos || end < 2 ||
        !std::all_of(
            domain.begin() + 1, domain.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
              return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
            })) {
      return false;
    }
    domain.remove_prefix(end + 1);
    if (domain.empty()) {
      return true;
    }
    return domain.size() > 1 && domain.front() == ':' &&
           std::all_of(domain.begin() + 1, domain.end(), isDigit);
  }
  const std::size_t colon = domain.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view port = domain.substr(colon + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), isDigit)) {
      return false;
    }
    domain = domain.substr(0, colon);
  }
  for (;;) {
    const std::size_t dot = domain.find('.');
    if (!isDomainLabel(domain.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    domain.remove_prefix(dot + 1);
  }
}

bool isTag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTag && (isAlnum(tag.front()) || tag.front() == '_') &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return isAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

/// The first part is a registry when it looks like a host: has "." or ":", is localhost, or is not
/// a legal lower-case name.
std::pair<std::string, std::string> splitDomain(std::string_view name) {
  const std::size_t slash = name.find('/');
  const std::string_view first = name.substr(0, slash);
  const bool has_upper = std::any_of(first.begin(), first.end(), isUpper);
  std::string domain(kDefaultDomain);
  std::string path(name);
  if (slash != std::string_view::npos &&
      (first.find_first_of(".:") != std::string_view::npos || first == "localhost" || has_upper)) {
    domain = first;
    path = name.substr(slash + 1);
  }
  if (domain == kLegacyDomain) {
    domain = kDefaultDomain;
  }
  if (domain == kDefaultDomain && path.find('/') == std::string::npos) {
    path.insert(0, kOfficialPrefix);
  }
  return {std::move(domain), std::move(path)};
}

/// Takes "@<digest>" and ":<tag>" off the end.
Result<Reference> splitSuffixes(std::string_view& text) {
  Reference ref;
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos) {
    ref.digest = text.substr(at + 1);
    text = text.substr(0, at);
    if (!isSha256Digest(ref.digest)) {
      return invalidFormat();
    }
  }
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find('/', colon) == std::string_view::npos) {
    ref.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
    if (!isTag(ref.tag)) {
      return invalidFormat();
    }
  }
  return ref;
}

}  // namespace

Result<Reference> Reference::parse(std::string_view text) {
  if (text.size() == 64 && std::all_of(text.begin(), text.end(), isHex)) {
    return Error{ErrorKind::InvalidArgument, "invalid repository name (" + std::string(text) +
                                                 "), cannot specify 64-byte hexadecimal strings"};
  }
  FLO_TRY_ASSIGN(Reference ref, splitSuffixes(text));
  auto [domain, path] = splitDomain(text);
  if (std::any_of(path.begin(), path.end(), isUpper)) {
    return Error{ErrorKind::InvalidArgument,
                 "invalid reference format: repository name (" + path + ") must be lowercase"};
  }
  if (!isDomain(domain) || !isPath(path)) {
    return invalidFormat();
  }
  if (path.size() > kMaxName) {
    return Error{ErrorKind::InvalidArgument,
                 "repository name must not be more than 255 characters"};
  }
  ref.domain = std::move(domain);
  ref.path = std::move(path);
  return ref;
}

std::string Reference::familiarName() const {
  if (domain != kDefaultDomain) {
    return name();
  }
  if (path.starts_with(kOfficialPrefix) &&
      path.find('/', kOfficialPrefix.size()) == std::string::npos) {
    return path.substr(kOfficialPrefix.size());
  }
  return path;
}

std::string Reference::familiar() const {
  std::string text = familiarName();
  if (!tag.empty()) {
    text += ":" + tag;
  }
  if (!digest.empty()) {
    text += "@" + digest;
  }
  return text;
}

std::string Reference::canonical() const {
  return digest.empty() ? name() + ":" + tag : name() + "@" + digest;
}

Reference Reference::withDefaultTag() const {
  Reference ref = *this;
  if (ref.isNameOnly()) {
    ref.tag = "latest";
  }
  return ref;
}

Result<Reference> parseRepoTag(std::string_view repo, std::string_view tag) {
  FLO_TRY_ASSIGN(Reference ref, Reference::parse(repo));
  if (!ref.digest.empty()) {
    return Error{ErrorKind::InvalidArgument, "cannot import digest reference"};
  }
  if (!tag.empty()) {
    if (!isTag(tag)) {
      return Error{ErrorKind::InvalidArgument, "invalid tag format"};
    }
    ref.tag = tag;
  }
  return ref.withDefaultTag();
}

bool isFullImageId(std::string_view text) {
  return isSha256Digest(text) ||
         (text.size() == 64 && std::all_of(text.begin(), text.end(), isHex));
}

}  // namespace flotilla::engine
