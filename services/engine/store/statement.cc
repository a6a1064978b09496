#include <sqlite3.h>

#include <utility>

#include "engine/store/database.h"

namespace flotilla::engine {
namespace {

Error statementError(sqlite3* db, sqlite3_stmt* statement, int code) {
  const int primary = code & 0xff;
  const auto kind = primary == SQLITE_CONSTRAINT ? ErrorKind::AlreadyExists
                    : primary == SQLITE_BUSY     ? ErrorKind::Unavailable
                                                 : ErrorKind::Internal;
  std::string text = "database: ";
  text += sqlite3_errmsg(db);
  text += " in: ";
  text += sqlite3_sql(statement);
  return Error{kind, std::move(text)};
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      next_(other.next_) {}

Statement::~Statement() {
  if (statement_ == nullptr) {
    return;
  }
  if (in_use_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  *in_use_ = false;
}

Statement& Statement::bind(std::int64_t value) {
  sqlite3_bind_int64(statement_, next_++, value);
  return *this;
}

Statement& Statement::bind(std::string_view value) {
  // A null pointer would bind NULL; an empty text is a value.
  const char* data = value.empty() ? "" : value.data();
  sqlite3_bind_text64(statement_, next_++, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return statementError(db_, statement_, code);
}

Result<void> Statement::run() {
  FLO_TRY_ASSIGN(const bool row, step());
  if (row) {
    return Error{ErrorKind::Internal,
                 std::string("database: unexpected row from: ") + sqlite3_sql(statement_)};
  }
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::view(int column) const {
  const auto* text = sqlite3_column_blob(statement_, column);
  if (text == nullptr) {
    return {};
  }
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return {static_cast<const char*>(text), size};
}

std::string Statement::text(int column) const { return std::string(view(column)); }

bool Statement::isNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

}  // namespace flotilla::engine
