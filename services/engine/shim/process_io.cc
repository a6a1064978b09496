#include "engine/shim/process_io.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace flotilla::engine::shim {
namespace {

constexpr int kPipeSize = 1 << 20;
constexpr std::size_t kReaderBuffer = 1U << 20U;  // per client that may fall behind
constexpr std::chrono::milliseconds kDrainLimit{2000};
constexpr std::chrono::milliseconds kCloseRetry{20};

/// Where output is read to when no log buffer holds it. One loop, one thread.
std::array<char, LogWriter::kBufferSize>& scratch() {
  static std::array<char, LogWriter::kBufferSize> buffer;
  return buffer;
}

Result<std::pair<UniqueFd, UniqueFd>> makePipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    return sysError("pipe", errno);
  }
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

void setNonBlocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

ProcessIo::ProcessIo(EventLoop& loop, LogWriter* log, Options options)
    : loop_(loop), log_(log), options_(options) {
  outputs_[1].channel = Channel::Stderr;
  console_expected_ = options.tty;
}

ProcessIo::~ProcessIo() {
  for (Output& output : outputs_) {
    if (output.fd) {
      loop_.unwatch(output.watch);
    }
  }
  loop_.unwatch(input_watch_);
  loop_.cancel(settle_timer_);
}

Result<StdioFds> ProcessIo::open() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) {
    return sysError("open /dev/null", errno);
  }
  StdioFds stdio{null.get(), null.get(), null.get()};
  child_ends_.push_back(std::move(null));
  if (options_.tty) {
    return stdio;
  }
  for (Output& output : outputs_) {
    FLO_TRY_ASSIGN(auto ends, makePipe());
    // The kernel fills it only as far as the process is ahead; refused beyond the user's limit.
    ::fcntl(ends.first.get(), F_SETPIPE_SZ, kPipeSize);
    setNonBlocking(ends.first.get());
    (output.channel == Channel::Stdout ? stdio.out : stdio.err) = ends.second.get();
    output.fd = std::move(ends.first);
    watchOutput(output);
    child_ends_.push_back(std::move(ends.second));
  }
  if (options_.open_stdin) {
    FLO_TRY_ASSIGN(auto ends, makePipe());
    setNonBlocking(ends.second.get());
    stdio.in = ends.first.get();
    input_ = std::move(ends.second);
    input_watch_ = loop_.watch(input_.get(), 0, [this](std::uint32_t) { writeInput(); });
    child_ends_.push_back(std::move(ends.first));
    writeInput();  // what clients sent before the start
  }
  return stdio;
}

void ProcessIo::closeChildEnds() { child_ends_.clear(); }

void ProcessIo::adoptConsole(UniqueFd master, unsigned height, unsigned width) {
  setNonBlocking(master.get());
  outputs_[0].fd = std::move(master);
  console_expected_ = false;
  if (height > 0 && width > 0) {
    (void)resize(height, width);
  }
  watchOutput(outputs_[0]);
  writeInput();
}

void ProcessIo::rewordFirstOutput(std::function<std::string(std::string_view)> reword) {
  reword_ = std::move(reword);
}

void ProcessIo::watchOutput(Output& output) {
  output.watch = loop_.watch(output.fd.get(), blocked() ? 0U : static_cast<std::uint32_t>(EPOLLIN),
                             [this, &output](std::uint32_t events) {
                               const auto self = shared_from_this();
                               if ((events & EPOLLOUT) != 0) {
                                 writeInput();
                               }
                               if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
                                 readOutput(output);
                               }
                             });
}

bool ProcessIo::blocked() const {
  return holds_ > 0 || waiting_for_log_ ||
         std::any_of(clients_.begin(), clients_.end(), [](const Client& client) {
           return client.stream->options().lossless && client.stream->backlog() > 0;
         });
}

void ProcessIo::updateWatches() {
  const std::uint32_t wanted = blocked() ? 0U : static_cast<std::uint32_t>(EPOLLIN);
  for (const Output& output : outputs_) {
    if (output.fd) {
      const bool writes = options_.tty && !input_queue_.empty();
      loop_.modify(output.watch, wanted | (writes ? static_cast<std::uint32_t>(EPOLLOUT) : 0U));
    }
  }
}

void ProcessIo::readOutput(Output& output) {
  // A few pieces a turn, so that neither channel nor control socket starves.
  for (int i = 0; i < 4 && output.fd && !blocked(); ++i) {
    if (!readPiece(output)) {
      break;
    }
  }
  updateWatches();
  checkSettled();
}

bool ProcessIo::readPiece(Output& output) {
  char* buffer = log_ != nullptr ? log_->acquire() : nullptr;
  if (log_ != nullptr && buffer == nullptr && !options_.drop_when_full) {
    waiting_for_log_ = true;
    return false;
  }
  char* target = buffer != nullptr ? buffer : scratch().data();
  const ssize_t got = ::read(output.fd.get(), target, LogWriter::kBufferSize);
  if (got > 0) {
    std::size_t size = static_cast<std::size_t>(got);
    if (reword_ && (output.channel == Channel::Stderr || options_.tty)) {
      const std::string better = std::exchange(reword_, nullptr)(std::string_view(target, size));
      size = better.empty() ? size : std::min(better.size(), LogWriter::kBufferSize);
      better.copy(target, size);
    }
    deliver(output.channel, std::string_view(target, size));
    if (buffer != nullptr) {
      log_->submit(buffer, size, output.channel);
    } else if (log_ != nullptr) {
      dropped_ += size;
    }
    return true;
  }
  const int err = errno;
  if (buffer != nullptr) {
    log_->release(buffer);
  }
  if (got < 0 && err == EINTR) {
    return true;
  }
  const bool nothing_now = got < 0 && err == EAGAIN;
  if (!nothing_now || closing_) {  // end of file; EIO: the last slave of the pty is closed
    endOutput(output);
  }
  return false;
}

void ProcessIo::deliver(Channel channel, std::string_view bytes) {
  for (Client& client : clients_) {
    deliverTo(client, channel, bytes);
  }
}

void ProcessIo::deliverTo(Client& client, Channel channel, std::string_view bytes) {
  if (client.replay) {
    client.replay->write(channel, bytes);
    return;
  }
  ClientStream& stream = *client.stream;
  if (!stream.options().lossless && stream.wants(channel) &&
      stream.backlog() + bytes.size() > kReaderBuffer) {
    fallBehind(client);
    return;
  }
  stream.write(channel, bytes);
}

void ProcessIo::fallBehind(Client& client) {
  if (log_ == nullptr || options_.drop_when_full) {
    client.stream->fail("this stream was too slow, and there is no complete log to continue from");
    return;
  }
  client.replay = std::make_shared<LogReplay>(client.stream, *log_);
  startReplay(client);
  client.replay->startHere();
}

void ProcessIo::startReplay(Client& client) {
  client.replay->onJoined([weak = weak_from_this(), stream = client.stream.get()] {
    if (const auto self = weak.lock()) {
      self->joinReplay(stream);
    }
  });
}

void ProcessIo::joinReplay(const ClientStream* stream) {
  if (Client* client = find(stream)) {
    client->replay.reset();
    if (!stream->options().live) {
      client->stream->finish();
    }
    endStreamsWhenDone();
    updateWatches();
  }
}

void ProcessIo::attach(const std::shared_ptr<ClientStream>& stream) {
  Client client{stream, nullptr, std::nullopt};
  if (options_.tty && stream->options().in) {
    client.detach.emplace(stream->options().detach_keys);
  }
  clients_.push_back(std::move(client));
  ClientStream* raw = stream.get();
  const auto with = [weak = weak_from_this()](auto fn) {
    return [weak, fn](auto... arguments) {
      if (const auto self = weak.lock()) {
        fn(*self, arguments...);
      }
    };
  };
  ClientStream::Events events;
  events.input = with([raw](ProcessIo& io, std::string_view bytes) { io.onInput(raw, bytes); });
  events.input_end = with([raw](ProcessIo& io) { io.onInputEnd(raw); });
  events.gone = with([raw](ProcessIo& io) { io.onGone(raw); });
  events.drained = with([raw](ProcessIo& io) {
    Client* found = io.find(raw);
    if (found != nullptr && found->replay) {
      const auto keep = found->replay;
      keep->pump();
    }
    io.updateWatches();
    io.checkSettled();
  });
  stream->start(std::move(events));
  if (log_ != nullptr && stream->options().replay) {
    Client& added = clients_.back();
    added.replay = std::make_shared<LogReplay>(stream, *log_);
    startReplay(added);
    const auto keep = added.replay;
    keep->startAtBeginning();
  } else if (!stream->options().live) {
    stream->finish();
  }
  updateWatches();
  endStreamsWhenDone();
}

void ProcessIo::hold() {
  ++holds_;
  updateWatches();
}

void ProcessIo::release() {
  --holds_;
  updateWatches();
  checkSettled();
  endStreamsWhenDone();
}

void ProcessIo::discardOutput() {
  for (Output& output : outputs_) {
    if (output.fd) {
      endOutput(output);
    }
  }
}

void ProcessIo::resume() {
  waiting_for_log_ = false;
  updateWatches();
}

bool ProcessIo::resize(unsigned height, unsigned width) {
  if (!options_.tty || !outputs_[0].fd) {
    return false;
  }
  winsize size{};
  size.ws_row = static_cast<unsigned short>(std::min(height, 0xffffU));
  size.ws_col = static_cast<unsigned short>(std::min(width, 0xffffU));
  return ::ioctl(outputs_[0].fd.get(), TIOCSWINSZ, &size) == 0;
}

void ProcessIo::endOutput(Output& output) {
  loop_.unwatch(output.watch);
  output.fd.reset();
  if (log_ != nullptr) {
    log_->endOfOutput(output.channel);
  }
  if (!outputEnded()) {
    return;
  }
  if (log_ == nullptr) {
    log_flushed_ = true;
  } else {
    flush_asked_ = true;
    log_->mark([weak = weak_from_this()](const LogMark&) {
      if (const auto self = weak.lock()) {
        self->log_flushed_ = true;
        self->checkSettled();
        self->endStreamsWhenDone();
      }
    });
  }
}

void ProcessIo::processExited(std::function<void()> settled) {
  exited_ = true;
  settled_ = std::move(settled);
  if (console_expected_) {  // it never came
    console_expected_ = false;
    log_flushed_ = true;
  }
  settle_timer_ = loop_.after(kDrainLimit, [this] { settle(); });
  checkSettled();
}

void ProcessIo::checkSettled() {
  if (exited_ && settled_ && outputEnded() && log_flushed_ && !blocked()) {
    settle();
  }
}

void ProcessIo::settle() {
  if (auto settled = std::exchange(settled_, nullptr); settled) {
    loop_.cancel(settle_timer_);
    loop_.defer(std::move(settled));
  }
}

void ProcessIo::finish(std::function<void()> idle) {
  closing_ = true;
  log_flushed_ = log_flushed_ || (outputEnded() && !flush_asked_);  // it never started
  idle_ = std::move(idle);
  input_queue_.clear();
  closeOutputs();
  endStreamsWhenDone();
}

void ProcessIo::closeOutputs() {
  for (Output& output : outputs_) {
    if (output.fd && !blocked()) {
      readOutput(output);  // nothing there now ends it, whoever else holds the other end
    }
  }
  if (!outputEnded()) {
    settle_timer_ = loop_.after(kCloseRetry, [this] { closeOutputs(); });
  }
  endStreamsWhenDone();
}

void ProcessIo::failWith(const std::string& message) {
  for (const Client& client : clients_) {
    client.stream->write(client.stream->options().raw || client.stream->options().out
                             ? Channel::Stdout
                             : Channel::Stderr,
                         message);
  }
}

void ProcessIo::endStreamsWhenDone() {
  if (!closing_ || !outputEnded() || !(log_flushed_ || log_ == nullptr) || holds_ > 0) {
    return;
  }
  for (const Client& client : clients_) {
    if (!client.replay) {
      client.stream->finish();
    }
  }
  if (clients_.empty() && idle_) {
    loop_.defer(std::exchange(idle_, nullptr));
  }
}

ProcessIo::Client* ProcessIo::find(const ClientStream* stream) {
  const auto found = std::find_if(clients_.begin(), clients_.end(), [stream](const Client& client) {
    return client.stream.get() == stream;
  });
  return found == clients_.end() ? nullptr : &*found;
}

void ProcessIo::onGone(const ClientStream* stream) {
  // A client that goes is an end of input as well.
  Client* client = find(stream);
  if (client == nullptr) {
    return;
  }
  const bool had_input = stream->options().in;
  clients_.erase(clients_.begin() + (client - clients_.data()));
  if (had_input && options_.stdin_once && !options_.tty) {
    closeInputWhenWritten();
  }
  updateWatches();
  checkSettled();
  endStreamsWhenDone();
  if (clients_.empty() && last_client_gone_) {
    loop_.defer(last_client_gone_);
  }
}

void ProcessIo::onInput(ClientStream* stream, std::string_view bytes) {
  Client* client = find(stream);
  if (client == nullptr) {
    return;
  }
  if (client->detach) {
    if (client->detach->feed(bytes, input_queue_)) {
      stream->finish();
    }
  } else if (options_.open_stdin && !input_closed_) {
    input_queue_.append(bytes);
  }
  writeInput();
}

void ProcessIo::onInputEnd(ClientStream* stream) {
  // dockerd: with StdinOnce (and no tty) the process sees the end; otherwise this attachment ends.
  if (options_.stdin_once && !options_.tty) {
    closeInputWhenWritten();
  } else if (find(stream) != nullptr) {
    stream->finish();
  }
}

void ProcessIo::closeInputWhenWritten() {
  input_closing_ = true;
  writeInput();
}

void ProcessIo::writeInput() {
  const int fd = options_.tty ? outputs_[0].fd.get() : input_.get();
  while (fd >= 0 && !input_queue_.empty()) {
    const ssize_t wrote = ::write(fd, input_queue_.data(), input_queue_.size());
    if (wrote > 0) {
      input_queue_.erase(0, static_cast<std::size_t>(wrote));
    } else if (wrote < 0 && errno == EINTR) {
      continue;
    } else {
      if (errno != EAGAIN) {  // nobody reads any more
        input_queue_.clear();
        input_closing_ = !options_.tty;
      }
      break;
    }
  }
  if (input_) {
    if (input_queue_.empty() && input_closing_) {
      loop_.unwatch(input_watch_);
      input_.reset();
      input_closed_ = true;
    } else {
      loop_.modify(input_watch_, input_queue_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
    }
  }
  updateWatches();
  for (const Client& client : clients_) {
    client.stream->enableInput(input_queue_.empty());
  }
}

}  // namespace flotilla::engine::shim
