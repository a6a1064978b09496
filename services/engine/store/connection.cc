#include "engine/store/connection.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "common/os/unique_fd.h"

namespace flotilla::engine {
namespace {

constexpr auto kBusyDeadline = std::chrono::seconds(30);

// SQLite's own busy handler sleeps up to 100 ms at once; writers here hold the lock for well under
// a millisecond, so a short back-off keeps the tail short (decisions.md 20).
int onBusy(void* /*unused*/, int attempt) {
  constexpr auto kStep = std::chrono::microseconds(200);
  constexpr auto kMaxStep = std::chrono::microseconds(5000);
  const auto pause = std::min<std::chrono::microseconds>(kStep * (attempt + 1), kMaxStep);
  // The sum of the first 25 steps is 65 ms; afterwards every step is 5 ms.
  if (pause * attempt > kBusyDeadline) {
    return 0;
  }
  std::this_thread::sleep_for(pause);
  return 1;
}

// SQLite would make the file with 0644; secrets in environments want 0600. Only when it is new:
// opening and closing it again would drop this process' locks on it.
Result<void> createPrivate(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd && errno != EEXIST) {
    return sysError("create " + path, errno);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  FLO_TRY(createPrivate(path));
  sqlite3* db = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Connection> connection(new Connection(db, path));
  if (code != SQLITE_OK) {
    return Error{ErrorKind::Internal, "open database " + path + ": " + sqlite3_errstr(code)};
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, onBusy, nullptr);
  FLO_TRY(connection->execute("PRAGMA journal_mode=WAL"));
  FLO_TRY(connection->execute("PRAGMA foreign_keys=ON"));
  FLO_TRY(connection->execute("PRAGMA cache_size=-512"));
  FLO_TRY(connection->execute("PRAGMA synchronous=NORMAL"));
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, cached] : cache_) {
    sqlite3_finalize(cached.statement);
  }
  sqlite3_close_v2(db_);
}

Result<Statement> Connection::prepare(std::string_view sql) {
  std::string key(sql);
  const auto found = cache_.find(key);
  if (found != cache_.end() && !found->second.in_use) {
    found->second.in_use = true;
    return Statement(db_, found->second.statement, &found->second.in_use);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return Error{ErrorKind::Internal,
                 "database " + path_ + ": " + sqlite3_errmsg(db_) + " in: " + key};
  }
  if (found != cache_.end()) {  // the cached one is running: a second one for this use only
    return Statement(db_, statement, nullptr);
  }
  auto& cached = cache_[std::move(key)];
  cached = {statement, true};
  return Statement(db_, statement, &cached.in_use);
}

std::int64_t Connection::changes() const { return sqlite3_changes64(db_); }

Result<void> Connection::repeat(std::string_view sql) {
  FLO_TRY_ASSIGN(auto statement, prepare(sql));
  return statement.run();
}

Result<void> Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) {
    return {};
  }
  const auto kind = (code & 0xff) == SQLITE_BUSY ? ErrorKind::Unavailable : ErrorKind::Internal;
  return Error{kind, "database " + path_ + ": " + sqlite3_errmsg(db_)};
}

}  // namespace flotilla::engine
