#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace flotilla::engine {

/// A prepared statement in use: bind in order, step through rows. Given back when destroyed.
class Statement {
 public:
  /// `in_use` is the cache's mark, cleared at the end; null for a statement that is not cached.
  Statement(sqlite3* db, sqlite3_stmt* statement, bool* in_use)
      : db_(db), statement_(statement), in_use_(in_use) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view value);  // copied
  /// True while there is a row. Errors: Internal, naming the statement; AlreadyExists on a
  /// uniqueness constraint.
  Result<bool> step();
  /// Steps once and expects no row.
  Result<void> run();
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::string_view view(int column) const;  // valid until the next step
  [[nodiscard]] bool isNull(int column) const;

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_;
  bool* in_use_;
  int next_ = 1;
};

/// What a write function or a read snapshot may do. Statements are cached by their text.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual Result<Statement> prepare(std::string_view sql) = 0;
  [[nodiscard]] virtual std::int64_t changes() const = 0;  // rows changed by the last statement
};

/// Durable = on disk before the call returns (create, pull, tag, volume, network, remove).
/// Relaxed = survives kill -9 but perhaps not power loss (start, exit, events, job rows).
enum class Durability { Durable, Relaxed };

/// One step of one module's schema. Steps of a module run in order, once, in one transaction.
struct Migration {
  std::string_view module;  // "core", "images", "network", ...
  int version;              // 1, 2, ... within the module
  std::string_view sql;     // one or several statements
};

/// Who writes to the file while it is open.
enum class Writers { ThisProcess, Several };

/// The engine's SQLite file (WAL; decisions.md 20). Thread-safe. One thread of a process writes at
/// a time: the caller's own when nobody else does, else one that groups what waits into one BEGIN
/// IMMEDIATE ... COMMIT. Each function runs in a savepoint of its own, so one failure does not undo
/// its neighbours.
class Database {
 public:
  using WriteFn = std::function<Result<void>(Transaction&)>;

  /// Opens or makes the file and runs what is missing of `migrations`. A file from a newer version
  /// (a module step unknown here) is refused.
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                const std::vector<Migration>& migrations,
                                                Writers writers = Writers::Several);
  virtual ~Database() = default;

  /// Blocks until committed (deadline 30 s, then Unavailable naming the file). `fn` must do no I/O
  /// and may not write().
  virtual Result<void> write(Durability durability, WriteFn fn) = 0;
  /// As write, but `done` runs on the writer's thread after the commit.
  virtual void writeAsync(Durability durability, WriteFn fn,
                          std::function<void(Result<void>)> done) = 0;
  /// Runs `fn` over a consistent snapshot on the calling thread.
  virtual Result<void> read(const std::function<Result<void>(Transaction&)>& fn) = 0;
  /// Runs `fn` on the thread that wrote, after every commit, before its callers know of it. Before
  /// the first write only.
  virtual void onCommit(std::function<void()> fn) = 0;
  /// Changes whenever any connection of any process committed; cheap (microseconds). To validate a
  /// cache, read it before the snapshot that fills the cache.
  virtual std::uint64_t dataVersion() = 0;
  /// dataVersion() as it was asked last, if nothing can have been committed since: a look at memory
  /// alone, for threads that must not block. nullopt otherwise, and always where others write.
  [[nodiscard]] virtual std::optional<std::uint64_t> knownVersion() const = 0;
};

}  // namespace flotilla::engine
