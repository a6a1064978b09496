#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/store/database.h"

namespace flotilla::engine {

/// One SQLite connection with its statement cache. Used by one thread at a time.
class Connection final : public Transaction {
 public:
  /// WAL mode, foreign keys on, a short back-off up to 30 s while another process writes.
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<Statement> prepare(std::string_view sql) override;
  [[nodiscard]] std::int64_t changes() const override;

  /// Runs one statement of those that come again and again, prepared once.
  Result<void> repeat(std::string_view sql);
  /// Runs statements that return nothing of interest.
  Result<void> execute(const std::string& sql);

 private:
  struct Cached {
    sqlite3_stmt* statement = nullptr;
    bool in_use = false;
  };

  Connection(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

  sqlite3* db_;
  std::string path_;
  std::unordered_map<std::string, Cached> cache_;
};

}  // namespace flotilla::engine
