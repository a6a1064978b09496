#include "common/net/tls_bio.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace flotilla::net {
namespace {

int descriptor(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int readSocket(BIO* bio, char* buffer, std::size_t size, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do {
    n = ::recv(descriptor(bio), buffer, size, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  *got = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n < 0 && errno == EAGAIN) {
    BIO_set_retry_read(bio);
  }
  if (n == 0) {
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);  // tells "cut off" from "broken"
  }
  return n > 0 ? 1 : 0;
}

int writeSocket(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do {
    n = ::send(descriptor(bio), bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  *written = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n < 0 && errno == EAGAIN) {
    BIO_set_retry_write(bio);
  }
  return n > 0 ? 1 : 0;
}

long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

BIO_METHOD* makeMethod() {
  BIO_METHOD* method =
      BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
  if (method != nullptr) {
    BIO_meth_set_read_ex(method, readSocket);
    BIO_meth_set_write_ex(method, writeSocket);
    BIO_meth_set_ctrl(method, control);
  }
  return method;
}

}  // namespace

BIO* makeSocketBio(int fd) {
  static BIO_METHOD* const kMethod = makeMethod();  // immutable, lives as long as the process
  BIO* bio = kMethod != nullptr ? BIO_new(kMethod) : nullptr;
  if (bio != nullptr) {
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
  }
  return bio;
}

}  // namespace flotilla::net
