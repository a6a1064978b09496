#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "common/error/error.h"

namespace flotilla {

/// A value or the Error that prevented it. A class, not an alias, so that dropping one warns.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  using Base::Base;
  // NOLINTNEXTLINE(google-explicit-constructor): `return Error{...}` is the point of the class
  Result(Error error) : Base(tl::unexpect, std::move(error)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Base base) : Base(std::move(base)) {}
};

}  // namespace flotilla

#define FLO_CAT_(a, b) a##b
#define FLO_CAT(a, b) FLO_CAT_(a, b)

// __COUNTER__, not __LINE__: the expression may be a lambda that uses these macros itself.

/// Returns the error of `expr` from the enclosing function, if it has one.
#define FLO_TRY(expr) FLO_TRY_(FLO_CAT(flo_result_, __COUNTER__), expr)
#define FLO_TRY_(tmp, expr)          \
  do {                               \
    if (auto tmp = (expr); !tmp) {   \
      return std::move(tmp).error(); \
    }                                \
  } while (false)

/// `FLO_TRY_ASSIGN(auto fd, openRead(path));`: the value, or return the error.
#define FLO_TRY_ASSIGN(decl, expr) FLO_TRY_ASSIGN_(FLO_CAT(flo_result_, __COUNTER__), decl, expr)
#define FLO_TRY_ASSIGN_(tmp, decl, expr) \
  auto tmp = (expr);                     \
  if (!tmp) {                            \
    return std::move(tmp).error();       \
  }                                      \
  decl = *std::move(tmp)
