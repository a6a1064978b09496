#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace flotilla {

/// What went wrong, as the caller of an API may branch on it. One row each in httpStatus().
enum class ErrorKind {
  InvalidArgument,
  Unauthenticated,
  PermissionDenied,
  NotFound,
  AlreadyExists,
  Conflict,
  NotModified,
  Unavailable,
  DeadlineExceeded,
  NotImplemented,
  Internal,
};

/// A failure with its kind, a message fit for the API's caller and, for the log, an errno.
/// A value; safe to copy between threads.
class Error {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  Error(ErrorKind kind, std::string message, int sys_errno)
      : kind_(kind), message_(std::move(message)), sys_errno_(sys_errno) {}

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  /// errno of the failed call, 0 when none.
  [[nodiscard]] int sysErrno() const { return sys_errno_; }

  /// The same error with "<prefix>: " in front of its message.
  [[nodiscard]] Error context(std::string_view prefix) &&;
  /// The same error under another kind, for the layer that knows what an ENOENT means.
  [[nodiscard]] Error as(ErrorKind kind) &&;
  /// The same error, telling the API's caller when to try again (Retry-After).
  [[nodiscard]] Error retryIn(std::chrono::seconds delay) &&;
  /// Zero when nothing was said about it.
  [[nodiscard]] std::chrono::seconds retryAfter() const { return retry_after_; }

  friend bool operator==(const Error&, const Error&) = default;

 private:
  ErrorKind kind_;
  std::string message_;
  int sys_errno_ = 0;
  std::chrono::seconds retry_after_{0};
};

/// "<doing>: <text of err>", always Internal: whether ENOENT is a 404 is the caller's to say.
Error sysError(std::string_view doing, int err);

/// The only table from kind to HTTP status code (Docker Engine API).
int httpStatus(ErrorKind kind);

/// Stable lower-case name of a kind ("not_found"), used on the wire between services and in logs.
std::string_view kindName(ErrorKind kind);
/// Inverse of kindName; unknown names are Internal.
ErrorKind kindFromName(std::string_view name);

}  // namespace flotilla
