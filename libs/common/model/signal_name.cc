#include "common/model/signal_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <optional>
#include <string>

namespace flotilla::model {
namespace {

struct NamedSignal {
  std::string_view name;
  int number;
};

constexpr std::array kSignals = {NamedSignal{"HUP", SIGHUP},       NamedSignal{"INT", SIGINT},
                                 NamedSignal{"QUIT", SIGQUIT},     NamedSignal{"ILL", SIGILL},
                                 NamedSignal{"TRAP", SIGTRAP},     NamedSignal{"ABRT", SIGABRT},
                                 NamedSignal{"IOT", SIGIOT},       NamedSignal{"BUS", SIGBUS},
                                 NamedSignal{"FPE", SIGFPE},       NamedSignal{"KILL", SIGKILL},
                                 NamedSignal{"USR1", SIGUSR1},     NamedSignal{"SEGV", SIGSEGV},
                                 NamedSignal{"USR2", SIGUSR2},     NamedSignal{"PIPE", SIGPIPE},
                                 NamedSignal{"ALRM", SIGALRM},     NamedSignal{"TERM", SIGTERM},
                                 NamedSignal{"STKFLT", SIGSTKFLT}, NamedSignal{"CHLD", SIGCHLD},
                                 NamedSignal{"CLD", SIGCHLD},      NamedSignal{"CONT", SIGCONT},
                                 NamedSignal{"STOP", SIGSTOP},     NamedSignal{"TSTP", SIGTSTP},
                                 NamedSignal{"TTIN", SIGTTIN},     NamedSignal{"TTOU", SIGTTOU},
                                 NamedSignal{"URG", SIGURG},       NamedSignal{"XCPU", SIGXCPU},
                                 NamedSignal{"XFSZ", SIGXFSZ},     NamedSignal{"VTALRM", SIGVTALRM},
                                 NamedSignal{"PROF", SIGPROF},     NamedSignal{"WINCH", SIGWINCH},
                                 NamedSignal{"IO", SIGIO},         NamedSignal{"POLL", SIGPOLL},
                                 NamedSignal{"PWR", SIGPWR},       NamedSignal{"SYS", SIGSYS}};

// Docker numbers real-time signals as the C library does: the first two are the library's own.
constexpr int kRtMin = 34;
constexpr int kRtMax = 64;

std::optional<int> signalNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<int> realTime(std::string_view name) {
  const bool from_min = name.starts_with("RTMIN");
  if (!from_min && !name.starts_with("RTMAX")) {
    return std::nullopt;
  }
  const std::string_view offset = name.substr(5);
  if (offset.empty()) {
    return from_min ? kRtMin : kRtMax;
  }
  const std::optional<int> value = signalNumber(offset.substr(1));
  if (offset[0] != (from_min ? '+' : '-') || !value || *value < 1 || *value > kRtMax - kRtMin) {
    return std::nullopt;
  }
  return from_min ? kRtMin + *value : kRtMax - *value;
}

}  // namespace

Result<int> parseSignal(std::string_view text) {
  const Error invalid(ErrorKind::InvalidArgument, "invalid signal: " + std::string(text));
  if (const std::optional<int> value = signalNumber(text)) {
    return *value > 0 ? Result<int>(*value) : invalid;
  }
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  const std::string_view name = std::string_view(upper).substr(upper.starts_with("SIG") ? 3 : 0);
  for (const NamedSignal& signal : kSignals) {
    if (signal.name == name) {
      return signal.number;
    }
  }
  if (const std::optional<int> value = realTime(name)) {
    return *value;
  }
  return invalid;
}

}  // namespace flotilla::model
