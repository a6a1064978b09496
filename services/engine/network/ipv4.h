#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::engine {

/// An IPv4 address in host byte order.
struct Ipv4 {
  std::uint32_t value = 0;

  /// Dotted quad only; nothing else that inet_aton would take.
  static std::optional<Ipv4> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

/// An address with a prefix length: a subnet, or an interface's address within one.
struct Ipv4Prefix {
  Ipv4 address;
  int length = 0;

  /// "172.17.0.1/16", length 0 to 32. Host bits are kept.
  static std::optional<Ipv4Prefix> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::uint32_t mask() const;
  [[nodiscard]] Ipv4Prefix network() const { return {{address.value & mask()}, length}; }
  [[nodiscard]] Ipv4 broadcast() const { return {address.value | ~mask()}; }
  [[nodiscard]] bool contains(Ipv4 other) const {
    return ((other.value ^ address.value) & mask()) == 0;
  }
  [[nodiscard]] bool overlaps(const Ipv4Prefix& other) const;
  friend bool operator==(const Ipv4Prefix&, const Ipv4Prefix&) = default;
};

/// "02:42:ac:11:00:02" for 172.17.0.2: a container that gets the address of an earlier one also
/// gets its MAC, so that no neighbour's ARP entry is ever stale.
std::string macFor(Ipv4 address);
/// Six bytes of "02:42:ac:11:00:02". Nothing unless it is a unicast Ethernet address.
std::optional<std::vector<std::uint8_t>> parseMac(std::string_view text);

/// The first of 172.17.0.0/16 to 172.31.0.0/16, then of the /20s of 192.168.0.0/16, that overlaps
/// none of `taken`. Nothing when all do.
std::optional<Ipv4Prefix> chooseSubnet(const std::vector<Ipv4Prefix>& taken);

}  // namespace flotilla::engine
