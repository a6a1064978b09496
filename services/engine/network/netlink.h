#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// The payload behind a netlink message's header, an attribute's bytes (NLMSG_DATA and RTA_DATA
/// without their C casts).
template <class Payload>
const Payload* netlinkPayload(const nlmsghdr& message) {
  return reinterpret_cast<const Payload*>(reinterpret_cast<const char*>(&message) + NLMSG_HDRLEN);
}
template <class Payload>
const Payload* attributePayload(const rtattr& attribute) {
  return reinterpret_cast<const Payload*>(reinterpret_cast<const char*>(&attribute) +
                                          RTA_LENGTH(0));
}

/// Calls `each(attribute)` for the attributes in `size` bytes from `first`.
template <class Each>
void forEachAttribute(const rtattr* first, std::size_t size, Each each) {
  auto left = static_cast<int>(size);
  for (; RTA_OK(first, left); first = RTA_NEXT(first, left)) {
    each(*first);
  }
}
/// The same for those behind a message's fixed header.
template <class Header, class Each>
void forEachAttribute(const nlmsghdr& message, Each each) {
  const auto* first =
      reinterpret_cast<const rtattr*>(netlinkPayload<char>(message) + NLMSG_ALIGN(sizeof(Header)));
  forEachAttribute(first, message.nlmsg_len - NLMSG_LENGTH(sizeof(Header)), each);
}
/// The same for those inside a nest.
template <class Each>
void forEachAttribute(const rtattr& nest, Each each) {
  forEachAttribute(attributePayload<rtattr>(nest), nest.rta_len - RTA_LENGTH(0), each);
}

/// Several netlink requests built one after the other and sent in one system call.
class NetlinkBatch {
 public:
  /// Starts a message; `header` is the family's fixed part (ifinfomsg, ifaddrmsg, ...).
  template <class Header>
  NetlinkBatch& message(std::uint16_t type, std::uint16_t flags, const Header& header) {
    return messageBytes(type, flags, &header, sizeof header);
  }
  NetlinkBatch& attribute(std::uint16_t type, const void* data, std::size_t size);
  NetlinkBatch& attribute(std::uint16_t type, std::string_view text);  // NUL-terminated
  template <class Integer>
  NetlinkBatch& integer(std::uint16_t type, Integer value) {
    return attribute(type, &value, sizeof value);
  }

  /// An attribute that holds what is added until it goes out of scope.
  class Nest {
   public:
    Nest(NetlinkBatch& batch, std::uint16_t type);
    ~Nest();
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

   private:
    NetlinkBatch& batch_;
    std::size_t offset_;
  };
  /// A fixed structure inside a nest (the peer's ifinfomsg of a veth).
  NetlinkBatch& raw(const void* data, std::size_t size);

  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t messages() const { return messages_; }

 private:
  NetlinkBatch& messageBytes(std::uint16_t type, std::uint16_t flags, const void* data,
                             std::size_t size);
  void append(const void* data, std::size_t size);

  std::vector<std::byte> bytes_;
  std::size_t current_ = 0;  // offset of the open message
  std::size_t messages_ = 0;
};

/// A netlink socket, bound for ever to the network namespace of the thread that opened it: requests
/// sent later from any thread act there. One request at a time.
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(int protocol);

  /// Sends all messages and waits (at most 5 s) for every acknowledgement. The kernel carries on
  /// after a message that fails. Errors: the first one, Internal with its errno, "<doing>: ...".
  Result<void> run(const NetlinkBatch& batch, std::string_view doing);
  /// One dump request; `each` sees every answer.
  Result<void> dump(const NetlinkBatch& batch, std::string_view doing,
                    const std::function<void(const nlmsghdr&)>& each);

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(const NetlinkBatch& batch, std::string_view doing);
  Result<std::size_t> receive(std::string_view doing);

  UniqueFd fd_;
  std::vector<std::byte> buffer_;
};

}  // namespace flotilla::engine
