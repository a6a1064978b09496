#include "engine/images/layer_intake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kUnpackDeadline{3600};

std::size_t maxProcesses() { return std::max(2U, std::thread::hardware_concurrency()); }

}  // namespace

LayerIntake::LayerIntake(ImageContext& context, Workspace& workspace,
                         std::function<bool()> cancelled)
    : context_(context), workspace_(workspace), cancelled_(std::move(cancelled)) {}

Result<IncomingFile*> LayerIntake::begin(Keep keep) {
  files_.emplace_back();
  IncomingFile& file = files_.back();
  file.intake = this;
  if (keep == Keep::HashOnly) {
    return &file;
  }
  file.path = workspace_.newPath("blob");
  file.fd.reset(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.fd) {
    return sysError("write " + file.path, errno);
  }
  file.may_be_layer = keep == Keep::Layer;
  FLO_TRY(startWaiting());
  return &file;
}

Result<void> LayerIntake::append(IncomingFile& file, std::string_view bytes) {
  file.hash.update(bytes);
  file.size += bytes.size();
  while (file.fd && !bytes.empty()) {
    const ssize_t done = ::write(file.fd.get(), bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) {
      return sysError("write " + file.path, errno);
    }
    bytes.remove_prefix(done > 0 ? static_cast<std::size_t>(done) : 0);
  }
  if (file.process) {
    file.process->announce(file.size);
  }
  return {};
}

Result<void> LayerIntake::end(IncomingFile& file) {
  file.hex = file.hash.finish();
  file.fd.reset();
  file.ended = true;
  return file.process ? file.process->announceEnd(file.size) : Result<void>{};
}

/// Starts unpacking what waits, oldest first, as far as there are processes to spare.
Result<void> LayerIntake::startWaiting() {
  std::size_t running = 0;
  for (IncomingFile& file : files_) {
    if (file.process && file.ended && file.process->done()) {
      file.outcome = file.process->wait(cancelled_, kUnpackDeadline);
      file.process.reset();
    }
    running += file.process ? 1 : 0;
  }
  for (IncomingFile& file : files_) {
    if (running < maxProcesses() && file.may_be_layer && !file.process && !file.outcome) {
      FLO_TRY(start(file));
      ++running;
    }
  }
  return {};
}

Result<std::string> LayerIntake::newTree() {
  const std::string tree = workspace_.newPath("tree");
  if (::mkdir(tree.c_str(), 0700) != 0 || ::mkdir((tree + "/fs").c_str(), 0755) != 0) {
    return sysError("make " + tree, errno);
  }
  return tree;
}

Result<void> LayerIntake::start(IncomingFile& file) {
  FLO_TRY_ASSIGN(file.tree, newTree());
  FLO_TRY_ASSIGN(file.process, UnpackProcess::start({.program = context_.unpack_program,
                                                     .directory = file.tree + "/fs",
                                                     .layer_file = file.path}));
  return file.ended ? file.process->announceEnd(file.size) : Result<void>{};
}

Result<UnpackedLayer> LayerIntake::unpacked(IncomingFile& file) {
  FLO_TRY(startWaiting());
  if (!file.outcome) {
    if (!file.process) {
      FLO_TRY(start(file));
    }
    file.outcome = file.process->wait(cancelled_, kUnpackDeadline);
    file.process.reset();
  }
  return *file.outcome;
}

Result<std::string> LayerIntake::takeTree(IncomingFile& file) {
  FLO_TRY(unpacked(file));
  if (!file.tree.empty()) {
    return std::exchange(file.tree, std::string());
  }
  return unpackStored(file.path);
}

Result<std::string> LayerIntake::unpackStored(const std::string& blob_path) {
  struct stat info {};
  if (::stat(blob_path.c_str(), &info) != 0) {
    return errno == ENOENT
               ? Error{ErrorKind::Unavailable, "a layer was removed meanwhile: try again"}
               : sysError(blob_path, errno);
  }
  FLO_TRY_ASSIGN(std::string tree, newTree());
  FLO_TRY_ASSIGN(const auto process, UnpackProcess::start({.program = context_.unpack_program,
                                                           .directory = tree + "/fs",
                                                           .layer_file = blob_path}));
  FLO_TRY(process->announceEnd(static_cast<std::uint64_t>(info.st_size)));
  FLO_TRY(process->wait(cancelled_, kUnpackDeadline));
  return tree;
}

}  // namespace flotilla::engine
