#include "common/error/error.h"

#include <array>
#include <system_error>
#include <utility>

namespace flotilla {
namespace {

constexpr std::array kAllKinds = {
    ErrorKind::InvalidArgument, ErrorKind::Unauthenticated, ErrorKind::PermissionDenied,
    ErrorKind::NotFound,        ErrorKind::AlreadyExists,   ErrorKind::Conflict,
    ErrorKind::NotModified,     ErrorKind::Unavailable,     ErrorKind::DeadlineExceeded,
    ErrorKind::NotImplemented,  ErrorKind::Internal,
};

}  // namespace

Error Error::context(std::string_view prefix) && {
  std::string text(prefix);
  text += ": ";
  text += message_;
  message_ = std::move(text);
  return std::move(*this);
}

Error Error::as(ErrorKind kind) && {
  kind_ = kind;
  return std::move(*this);
}

Error Error::retryIn(std::chrono::seconds delay) && {
  retry_after_ = delay;
  return std::move(*this);
}

Error sysError(std::string_view doing, int err) {
  std::string text(doing);
  text += ": ";
  text += std::generic_category().message(err);
  return Error{ErrorKind::Internal, std::move(text), err};
}

int httpStatus(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return 400;
    case ErrorKind::Unauthenticated:
      return 401;
    case ErrorKind::PermissionDenied:
      return 403;
    case ErrorKind::NotFound:
      return 404;
    case ErrorKind::AlreadyExists:
      return 409;
    case ErrorKind::Conflict:
      return 409;
    case ErrorKind::NotModified:
      return 304;
    case ErrorKind::Unavailable:
      return 503;
    case ErrorKind::DeadlineExceeded:
      return 500;
    case ErrorKind::NotImplemented:
      return 501;
    case ErrorKind::Internal:
      return 500;
  }
  return 500;
}

std::string_view kindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return "invalid_argument";
    case ErrorKind::Unauthenticated:
      return "unauthenticated";
    case ErrorKind::PermissionDenied:
      return "permission_denied";
    case ErrorKind::NotFound:
      return "not_found";
    case ErrorKind::AlreadyExists:
      return "already_exists";
    case ErrorKind::Conflict:
      return "conflict";
    case ErrorKind::NotModified:
      return "not_modified";
    case ErrorKind::Unavailable:
      return "unavailable";
    case ErrorKind::DeadlineExceeded:
      return "deadline_exceeded";
    case ErrorKind::NotImplemented:
      return "not_implemented";
    case ErrorKind::Internal:
      return "internal";
  }
  return "internal";
}

ErrorKind kindFromName(std::string_view name) {
  for (const ErrorKind kind : kAllKinds) {
    if (kindName(kind) == name) {
      return kind;
    }
  }
  return ErrorKind::Internal;
}

}  // namespace flotilla
