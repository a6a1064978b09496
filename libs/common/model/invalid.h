#pragma once

#include <string>
#include <utility>

#include "common/error/error.h"

namespace flotilla::model {

/// What is answered 400 with this message.
inline Error invalid(std::string message) {
  return Error(ErrorKind::InvalidArgument, std::move(message));
}

}  // namespace flotilla::model
