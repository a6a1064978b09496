#include "engine/shim/log_writer.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "engine/shim/memory.h"

namespace flotilla::engine::shim {

LogWriter::LogWriter(EventLoop& loop, const LogConfig& config)
    : loop_(loop),
      memory_(new char[kBuffers * kBufferSize]),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      file_(config) {
  for (std::size_t i = kBuffers; i > 0; --i) {
    free_.push_back(memory_.get() + (i - 1) * kBufferSize);
  }
  watch_ = loop_.watch(event_.get(), EPOLLIN, [this](std::uint32_t) { onNotified(); });
  thread_ = std::thread([this] { threadMain(); });
}

LogWriter::~LogWriter() {
  push(Item{Item::Kind::Quit, nullptr, 0, Channel::Stdout, nullptr});
  thread_.join();
  loop_.unwatch(watch_);
}

char* LogWriter::acquire() {
  if (free_.empty()) {
    const std::lock_guard lock(mutex_);
    free_.swap(returned_);
    room_asked_ = free_.empty();
    wants_room_ = free_.empty();
  }
  if (free_.empty()) {
    return nullptr;
  }
  char* buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void LogWriter::release(char* buffer) { free_.push_back(buffer); }

void LogWriter::submit(char* buffer, std::size_t size, Channel channel) {
  push(Item{Item::Kind::Data, buffer, size, channel, nullptr});
}

void LogWriter::releaseMemory() {
  for (char* buffer : free_) {
    dropPages(buffer, kBufferSize);
  }
}

void LogWriter::endOfOutput(Channel channel) {
  push(Item{Item::Kind::End, nullptr, 0, channel, nullptr});
}

void LogWriter::mark(std::function<void(const LogMark&)> done) {
  push(Item{Item::Kind::Mark, nullptr, 0, Channel::Stdout, std::move(done)});
}

void LogWriter::push(Item item) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(item));
  if (!returned_.empty()) {  // keeps the same few buffers in use, and so the memory small
    free_.insert(free_.end(), returned_.begin(), returned_.end());
    returned_.clear();
  }
  work_.notify_one();
}

void LogWriter::threadMain() {
  while (true) {
    std::unique_lock lock(mutex_);
    if (queue_.empty()) {
      lock.unlock();
      {
        const std::lock_guard file_lock(file_mutex_);
        file_.flush();
      }
      lock.lock();
      work_.wait(lock, [this] { return !queue_.empty(); });
    }
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (item.kind == Item::Kind::Quit) {
      file_.flush();
      return;
    }
    handle(item);
  }
}

void LogWriter::handle(Item& item) {
  LogMark mark;
  {
    const std::lock_guard file_lock(file_mutex_);
    LineSplitter& lines = splitter(item.channel);
    const auto entry = [&](std::string_view line, const timespec& time) {
      file_.append(line, item.channel, time);
    };
    if (item.kind == Item::Kind::Data) {
      timespec now{};
      ::clock_gettime(CLOCK_REALTIME, &now);
      lines.feed(std::string_view(item.buffer, item.size), now, entry);
    } else if (item.kind == Item::Kind::End) {
      lines.finish(entry);
    } else {
      file_.flush();
      mark = LogMark{file_.position(), out_.carry(), err_.carry()};
    }
  }
  const std::lock_guard lock(mutex_);
  if (item.kind == Item::Kind::Data) {
    returned_.push_back(item.buffer);
    if (std::exchange(room_asked_, false)) {
      notify();
    }
  } else if (item.kind == Item::Kind::Mark) {
    finished_.push_back(Finished{std::move(item.done), std::move(mark)});
    notify();
  }
}

void LogWriter::notify() {
  const std::uint64_t one = 1;
  // An eventfd that is full (never, in practice) is readable already.
  (void)!::write(event_.get(), &one, sizeof(one));
}

void LogWriter::onNotified() {
  std::uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof(count));
  std::vector<Finished> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
    free_.insert(free_.end(), returned_.begin(), returned_.end());
    returned_.clear();
  }
  for (const Finished& entry : finished) {
    entry.done(entry.mark);
  }
  if (wants_room_ && !free_.empty()) {
    wants_room_ = false;
    if (on_room_) {
      on_room_();
    }
  }
}

UniqueFd LogWriter::openGeneration(std::uint64_t generation) {
  const std::lock_guard lock(file_mutex_);
  const std::string name = file_.fileOf(generation);
  return UniqueFd(name.empty() ? -1 : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
}

bool LogWriter::holds(std::uint64_t generation) {
  const std::lock_guard lock(file_mutex_);
  return file_.keepsRotated() || file_.position().generation == generation;
}

std::vector<UniqueFd> LogWriter::openOlder(std::uint64_t& newest_generation) {
  const std::lock_guard lock(file_mutex_);
  std::vector<UniqueFd> files;
  for (unsigned index = file_.olderFiles() + 1; index > 0; --index) {
    files.emplace_back(::open(file_.olderFile(index - 1).c_str(), O_RDONLY | O_CLOEXEC));
  }
  newest_generation = file_.position().generation;
  return files;
}

}  // namespace flotilla::engine::shim
