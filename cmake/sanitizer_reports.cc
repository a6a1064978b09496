// Linked into the programs of a sanitizer build. Shims and unpackers start with an empty
// environment and nobody reads what they print: findings go to files, which scripts/test looks for.
extern "C" {

__attribute__((visibility("default"))) const char* __asan_default_options();
__attribute__((visibility("default"))) const char* __ubsan_default_options();
__attribute__((visibility("default"))) const char* __tsan_default_options();

const char* __asan_default_options() { return "log_path=" FLO_SANITIZER_REPORTS "/asan"; }
const char* __ubsan_default_options() {
  return "print_stacktrace=1:log_path=" FLO_SANITIZER_REPORTS "/ubsan";
}
const char* __tsan_default_options() { return "log_path=" FLO_SANITIZER_REPORTS "/tsan"; }
}
