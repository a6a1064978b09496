#include "common/error/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "common/error/result.h"

namespace flotilla {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) {
    return Error{ErrorKind::InvalidArgument, "odd"};
  }
  return value / 2;
}

Result<int> quarter(int value) {
  FLO_TRY_ASSIGN(const int first, half(value));
  FLO_TRY(half(first));
  return half(first);
}

TEST(Error, EveryKindSurvivesItsName) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::Internal); ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    EXPECT_EQ(kindFromName(kindName(kind)), kind);
  }
  EXPECT_EQ(kindFromName("no such kind"), ErrorKind::Internal);
}

TEST(Error, SysErrorIsInternalAndKeepsErrno) {
  const Error error = sysError("open /x", ENOENT);
  EXPECT_EQ(error.kind(), ErrorKind::Internal);
  EXPECT_EQ(error.sysErrno(), ENOENT);
  EXPECT_EQ(error.message(), "open /x: No such file or directory");
}

TEST(Error, ContextAndKindAreAddedByCallers) {
  const Error error = sysError("open", ENOENT).context("image i1").as(ErrorKind::NotFound);
  EXPECT_EQ(error.message(), "image i1: open: No such file or directory");
  EXPECT_EQ(httpStatus(error.kind()), 404);
}

TEST(Result, MacrosPropagateTheFirstError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message(), "odd");
  EXPECT_EQ(quarter(1).error().message(), "odd");
}

}  // namespace
}  // namespace flotilla
