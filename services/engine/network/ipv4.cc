#include "engine/network/ipv4.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace flotilla::engine {
namespace {

template <class Number>
std::optional<Number> parseNumber(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<Ipv4> Ipv4::parse(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return std::nullopt;
  }
  return Ipv4{ntohl(address.s_addr)};
}

std::string Ipv4::text() const {
  std::array<char, INET_ADDRSTRLEN> buffer{};
  const in_addr address{htonl(value)};
  ::inet_ntop(AF_INET, &address, buffer.data(), buffer.size());
  return buffer.data();
}

std::optional<Ipv4Prefix> Ipv4Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = Ipv4::parse(text.substr(0, slash));
  const auto length = parseNumber<unsigned>(text.substr(slash + 1), 10);
  if (!address || !length || *length > 32) {
    return std::nullopt;
  }
  return Ipv4Prefix{*address, static_cast<int>(*length)};
}

std::string Ipv4Prefix::text() const { return address.text() + "/" + std::to_string(length); }

std::uint32_t Ipv4Prefix::mask() const { return length == 0 ? 0U : ~0U << (32 - length); }

bool Ipv4Prefix::overlaps(const Ipv4Prefix& other) const {
  return length <= other.length ? contains(other.address) : other.contains(address);
}

std::string macFor(Ipv4 address) {
  std::array<char, 18> text{};
  (void)std::snprintf(text.data(), text.size(), "02:42:%02x:%02x:%02x:%02x", address.value >> 24U,
                      address.value >> 16U & 255U, address.value >> 8U & 255U,
                      address.value & 255U);
  return text.data();
}

std::optional<std::vector<std::uint8_t>> parseMac(std::string_view text) {
  if (text.size() != 17) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    const auto byte = parseNumber<std::uint8_t>(text.substr(at, 2), 16);
    if (!byte || (at + 2 < text.size() && text[at + 2] != ':')) {
      return std::nullopt;
    }
    bytes.push_back(*byte);
  }
  const bool zero = std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
  if ((bytes[0] & 1U) != 0 || zero) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<Ipv4Prefix> chooseSubnet(const std::vector<Ipv4Prefix>& taken) {
  const auto is_free = [&](const Ipv4Prefix& candidate) {
    return std::none_of(taken.begin(), taken.end(), [&](const Ipv4Prefix& other) {
      return other.length > 0 && candidate.overlaps(other);  // a default route overlaps everything
    });
  };
  for (std::uint32_t second = 17; second <= 31; ++second) {
    const Ipv4Prefix candidate{{172U << 24U | second << 16U}, 16};
    if (is_free(candidate)) {
      return candidate;
    }
  }
  for (std::uint32_t third = 0; third < 256; third += 16) {
    const Ipv4Prefix candidate{{192U << 24U | 168U << 16U | third << 8U}, 20};
    if (is_free(candidate)) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace flotilla::engine
