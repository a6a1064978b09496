#pragma once

struct bio_st;

namespace flotilla::net {

/// A BIO over a non-blocking socket that, unlike OpenSSL's own, never raises SIGPIPE. The
/// descriptor stays the caller's. Null when memory is short.
bio_st* makeSocketBio(int fd);

}  // namespace flotilla::net
