#include "engine/store/database.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/store/connection.h"

namespace flotilla::engine {
namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(30);
constexpr std::size_t kMaxGroup = 256;

struct WriteRequest {
  Durability durability;
  Database::WriteFn fn;
  std::function<void(Result<void>)> done;
};

using WriteRequestPtr = std::shared_ptr<WriteRequest>;

Result<void> migrate(Connection& connection, const std::vector<Migration>& migrations) {
  FLO_TRY(connection.execute(
      "CREATE TABLE IF NOT EXISTS schema_steps(module TEXT NOT NULL, version INTEGER NOT NULL,"
      " PRIMARY KEY(module, version)) WITHOUT ROWID"));
  std::map<std::pair<std::string, std::int64_t>, bool> done;
  {
    FLO_TRY_ASSIGN(auto rows, connection.prepare("SELECT module, version FROM schema_steps"));
    while (true) {
      FLO_TRY_ASSIGN(const bool more, rows.step());
      if (!more) {
        break;
      }
      done[{rows.text(0), rows.integer(1)}] = false;
    }
  }
  for (const auto& step : migrations) {
    const auto known = done.find({std::string(step.module), step.version});
    if (known != done.end()) {
      known->second = true;
      continue;
    }
    FLO_TRY(connection.execute(std::string(step.sql)));
    FLO_TRY_ASSIGN(auto insert, connection.prepare("INSERT INTO schema_steps VALUES(?, ?)"));
    FLO_TRY(insert.bind(step.module).bind(step.version).run());
  }
  for (const auto& [step, known] : done) {
    if (!known) {
      return Error{ErrorKind::Internal,
                   "database schema has step " + step.first + "/" + std::to_string(step.second) +
                       ", which this version does not know; start a newer one"};
    }
  }
  return {};
}

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::string path, std::unique_ptr<Connection> writer,
                 std::unique_ptr<Connection> versions, Writers writers)
      : path_(std::move(path)),
        writers_(writers),
        writer_(std::move(writer)),
        versions_(std::move(versions)) {
    thread_ = std::thread([this] { runWriter(); });
  }

  ~SqliteDatabase() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  Result<void> write(Durability durability, WriteFn fn) override {
    if (takeWriter()) {
      // Nobody else is writing: two changes of threads cost more than the commit.
      Result<void> result;
      runGroup({std::make_shared<WriteRequest>(WriteRequest{
          durability, std::move(fn), [&result](Result<void> done) { result = std::move(done); }})});
      giveWriter();
      return result;
    }
    struct Outcome {
      std::mutex mutex;
      std::condition_variable ready;
      bool done = false;
      Result<void> result;
    };
    auto outcome = std::make_shared<Outcome>();
    auto request = enqueue(durability, std::move(fn), [outcome](Result<void> result) {
      const std::lock_guard lock(outcome->mutex);
      outcome->result = std::move(result);
      outcome->done = true;
      outcome->ready.notify_one();
    });
    std::unique_lock lock(outcome->mutex);
    if (!outcome->ready.wait_for(lock, kWriteDeadline, [&] { return outcome->done; })) {
      lock.unlock();
      if (withdraw(request)) {
        return Error{ErrorKind::Unavailable,
                     "database " + path_ + " is busy: no write within 30 s"};
      }
      // The writer is running it now; its own busy deadline bounds this wait.
      lock.lock();
      outcome->ready.wait(lock, [&] { return outcome->done; });
    }
    return outcome->result;
  }

  void writeAsync(Durability durability, WriteFn fn,
                  std::function<void(Result<void>)> done) override {
    enqueue(durability, std::move(fn), std::move(done));
  }

  Result<void> read(const std::function<Result<void>(Transaction&)>& fn) override {
    FLO_TRY_ASSIGN(auto connection, takeReader());
    auto result = connection->repeat("BEGIN");
    if (result) {
      result = fn(*connection);
      if (auto ended = connection->repeat("COMMIT"); result && !ended) {
        result = ended;
      }
    }
    const std::lock_guard lock(readers_mutex_);
    readers_.push_back(std::move(connection));
    return result;
  }

  void onCommit(std::function<void()> fn) override { on_commit_ = std::move(fn); }

  std::uint64_t dataVersion() override {
    const std::uint64_t commits = commits_.load();
    const std::uint64_t version = askVersion();
    const std::lock_guard lock(known_mutex_);
    known_ = {commits, version};
    return version;
  }

  [[nodiscard]] std::optional<std::uint64_t> knownVersion() const override {
    const std::uint64_t commits = commits_.load();
    if (writers_ == Writers::Several || commits % 2 != 0) {
      return std::nullopt;
    }
    const std::lock_guard lock(known_mutex_);
    return known_.commits == commits ? std::optional(known_.version) : std::nullopt;
  }

 private:
  std::uint64_t askVersion() {
    // data_version counts the commits of all *other* connections; this one never writes.
    const std::lock_guard lock(versions_mutex_);
    auto statement = versions_->prepare("PRAGMA data_version");
    if (!statement) {
      return ++failed_versions_;
    }
    const auto row = statement->step();
    return row && *row ? static_cast<std::uint64_t>(statement->integer(0)) : ++failed_versions_;
  }

  WriteRequestPtr enqueue(Durability durability, WriteFn fn,
                          std::function<void(Result<void>)> done) {
    auto request =
        std::make_shared<WriteRequest>(WriteRequest{durability, std::move(fn), std::move(done)});
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(request);
    }
    wake_.notify_one();
    return request;
  }

  bool takeWriter() {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !std::exchange(writing_, true);
  }

  void giveWriter() {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!queue_.empty()) {
      wake_.notify_one();
    }
  }

  bool withdraw(const WriteRequestPtr& request) {
    const std::lock_guard lock(mutex_);
    return std::erase(queue_, request) > 0;
  }

  Result<std::unique_ptr<Connection>> takeReader() {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        auto connection = std::move(readers_.back());
        readers_.pop_back();
        return connection;
      }
    }
    return Connection::open(path_);
  }

  void runWriter() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return !writing_ && (stopping_ || !queue_.empty()); });
      if (queue_.empty()) {
        return;
      }
      writing_ = true;
      std::vector<WriteRequestPtr> group;
      while (!queue_.empty() && group.size() < kMaxGroup) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      lock.unlock();
      runGroup(group);
      lock.lock();
      writing_ = false;
    }
  }

  void runGroup(const std::vector<WriteRequestPtr>& group) {
    Durability durability = Durability::Relaxed;
    for (const auto& request : group) {
      if (request->durability == Durability::Durable) {
        durability = Durability::Durable;
      }
    }
    std::vector<Result<void>> results(group.size());
    Result<void> whole = begin(durability);
    if (whole) {
      for (std::size_t i = 0; i < group.size(); ++i) {
        results[i] = runOne(*group[i]);
      }
      ++commits_;
      whole = writer_->repeat("COMMIT");
      ++commits_;
      if (!whole) {
        // Nothing to do if this fails too: a failed COMMIT may have rolled back already.
        static_cast<void>(writer_->execute("ROLLBACK"));
      } else if (on_commit_) {
        on_commit_();
      }
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i]->done(whole ? std::move(results[i]) : whole);
    }
  }

  Result<void> begin(Durability durability) {
    if (durability != writer_durability_) {
      FLO_TRY(writer_->execute(durability == Durability::Durable ? "PRAGMA synchronous=FULL"
                                                                 : "PRAGMA synchronous=NORMAL"));
      writer_durability_ = durability;
    }
    return writer_->repeat("BEGIN IMMEDIATE");
  }

  Result<void> runOne(const WriteRequest& request) {
    FLO_TRY(writer_->repeat("SAVEPOINT one"));
    auto result = request.fn(*writer_);
    if (!result) {
      FLO_TRY(writer_->repeat("ROLLBACK TO one"));
    }
    FLO_TRY(writer_->repeat("RELEASE one"));
    return result;
  }

  const std::string path_;
  const Writers writers_;
  std::function<void()> on_commit_;
  std::unique_ptr<Connection> writer_;  // of the thread that set writing_
  Durability writer_durability_ = Durability::Relaxed;

  std::mutex mutex_;  // guards writing_, queue_, stopping_
  std::condition_variable wake_;
  std::deque<WriteRequestPtr> queue_;
  bool writing_ = false;
  bool stopping_ = false;

  std::mutex readers_mutex_;  // guards readers_
  std::vector<std::unique_ptr<Connection>> readers_;

  std::mutex versions_mutex_;  // guards versions_, failed_versions_
  std::unique_ptr<Connection> versions_;
  std::uint64_t failed_versions_ = 1ULL << 32U;  // never equal to a real one

  // A version is known while commits_ is what it was before that version was asked.
  struct Known {
    std::uint64_t commits = 1, version = 0;
  };
  std::atomic<std::uint64_t> commits_ = 0;  // two for each of ours; odd while one is under way
  mutable std::mutex known_mutex_;          // guards known_; never held over a look at the file
  Known known_;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 const std::vector<Migration>& migrations,
                                                 Writers writers) {
  FLO_TRY_ASSIGN(auto writer, Connection::open(path));
  FLO_TRY(writer->execute("BEGIN IMMEDIATE"));
  if (auto migrated = migrate(*writer, migrations); !migrated) {
    static_cast<void>(writer->execute("ROLLBACK"));
    return std::move(migrated).error().context("database " + path);
  }
  FLO_TRY(writer->execute("COMMIT"));
  FLO_TRY_ASSIGN(auto versions, Connection::open(path));
  return std::unique_ptr<Database>(
      std::make_unique<SqliteDatabase>(path, std::move(writer), std::move(versions), writers));
}

}  // namespace flotilla::engine
