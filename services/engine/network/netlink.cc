#include "engine/network/netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>

namespace flotilla::engine {
namespace {

constexpr std::size_t kReceiveBuffer = 32 * 1024;
constexpr timeval kAnswerDeadline{5, 0};

template <class Header>
Header& headerAt(std::vector<std::byte>& bytes, std::size_t offset) {
  return *reinterpret_cast<Header*>(bytes.data() + offset);  // offsets are multiples of 4
}

}  // namespace

void NetlinkBatch::append(const void* data, std::size_t size) {
  const std::size_t start = bytes_.size();
  bytes_.resize(start + NLMSG_ALIGN(size));  // the padding is zero
  if (size > 0) {
    std::memcpy(bytes_.data() + start, data, size);
  }
  headerAt<nlmsghdr>(bytes_, current_).nlmsg_len =
      static_cast<std::uint32_t>(bytes_.size() - current_);
}

NetlinkBatch& NetlinkBatch::messageBytes(std::uint16_t type, std::uint16_t flags, const void* data,
                                         std::size_t size) {
  current_ = bytes_.size();
  bytes_.resize(current_ + sizeof(nlmsghdr));
  auto& header = headerAt<nlmsghdr>(bytes_, current_);
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  header.nlmsg_seq = static_cast<std::uint32_t>(++messages_);
  append(data, size);
  return *this;
}

NetlinkBatch& NetlinkBatch::raw(const void* data, std::size_t size) {
  append(data, size);
  return *this;
}

NetlinkBatch& NetlinkBatch::attribute(std::uint16_t type, const void* data, std::size_t size) {
  const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
  append(&header, sizeof header);
  append(data, size);
  return *this;
}

NetlinkBatch& NetlinkBatch::attribute(std::uint16_t type, std::string_view text) {
  const std::string terminated(text);
  return attribute(type, terminated.c_str(), terminated.size() + 1);
}

NetlinkBatch::Nest::Nest(NetlinkBatch& batch, std::uint16_t type)
    : batch_(batch), offset_(batch.bytes_.size()) {
  batch_.attribute(type, nullptr, 0);
}

NetlinkBatch::Nest::~Nest() {
  headerAt<rtattr>(batch_.bytes_, offset_).rta_len =
      static_cast<std::uint16_t>(batch_.bytes_.size() - offset_);
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) {
    return sysError("open a netlink socket", errno);
  }
  const int one = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &one,
               sizeof one);  // short errors; best effort
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerDeadline, sizeof kAnswerDeadline) !=
      0) {
    return sysError("set a netlink deadline", errno);
  }
  return NetlinkSocket(std::move(fd));
}

Result<void> NetlinkSocket::send(const NetlinkBatch& batch, std::string_view doing) {
  ssize_t sent = -1;
  do {
    sent = ::send(fd_.get(), batch.bytes().data(), batch.bytes().size(), 0);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return sysError(doing, errno);
  }
  buffer_.resize(kReceiveBuffer);
  return {};
}

Result<std::size_t> NetlinkSocket::receive(std::string_view doing) {
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR) {
      return sysError(doing, errno == EAGAIN ? ETIMEDOUT : errno);
    }
  }
}

Result<void> NetlinkSocket::run(const NetlinkBatch& batch, std::string_view doing) {
  FLO_TRY(send(batch, doing));
  int first_error = 0;
  for (std::size_t left = batch.messages(); left > 0;) {
    FLO_TRY_ASSIGN(std::size_t size, receive(doing));
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
      if (message->nlmsg_type != NLMSG_ERROR) {
        continue;
      }
      const int error = netlinkPayload<nlmsgerr>(*message)->error;
      first_error = first_error == 0 ? -error : first_error;
      if (--left == 0) {
        break;
      }
    }
  }
  if (first_error != 0) {
    return sysError(doing, first_error);
  }
  return {};
}

Result<void> NetlinkSocket::dump(const NetlinkBatch& batch, std::string_view doing,
                                 const std::function<void(const nlmsghdr&)>& each) {
  FLO_TRY(send(batch, doing));
  while (true) {
    FLO_TRY_ASSIGN(std::size_t size, receive(doing));
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
      if (message->nlmsg_type == NLMSG_DONE) {
        return {};
      }
      if (message->nlmsg_type == NLMSG_ERROR) {
        return sysError(doing, -netlinkPayload<nlmsgerr>(*message)->error);
      }
      each(*message);
    }
  }
}

}  // namespace flotilla::engine
